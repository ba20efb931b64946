# From pictures on disk to shards.


if PARAMS.data.faces is not None:

    rule faces:
        """Draw the embedded faces in AffectNet's own layout."""
        output:
            note=plan.drawn_faces(PARAMS),
        log:
            "logs/faces.log",
        benchmark:
            "logs/faces.tsv"
        threads: workflow.cores
        params:
            config=PARAMS.data.faces.model_dump(),
            code=code("faces"),
        shell:
            "mien faces --threads {threads} &> {log:q}"


rule ingest:
    """List and check the data set; carve `val` from its training part."""
    input:
        plan.drawn_faces(PARAMS),
    output:
        index=str(paths.INDEX),
        manifest=str(paths.INDEX_MANIFEST),
    log:
        "logs/ingest.log",
    benchmark:
        "logs/ingest.tsv"
    threads: workflow.cores
    params:
        config=PARAMS.data.model_dump(mode="json"),
        raw=pointer_digest(PARAMS.data),
        code=code("ingest"),
    shell:
        "mien ingest --threads {threads} &> {log:q}"


SHARD = {"config": PARAMS.shards.model_dump(mode="json"), "code": code("shard")}
SHARD_PART = "work/parts/shard/{part}.json"


rule shard:
    """Write the pictures, resized and lossless, as WebDataset shards; or join the parts."""
    input:
        index=str(paths.INDEX),
        manifest=str(paths.INDEX_MANIFEST),
        parts=plan.parts(PARAMS, SHARD_PART),
        drawn=plan.drawn_faces(PARAMS),
    output:
        manifest=str(paths.SHARDS_MANIFEST),
    log:
        "logs/shard.log",
    benchmark:
        "logs/shard.tsv"
    threads: workflow.cores if PARAMS.compute.parts == 1 else 1
    params:
        **SHARD,
    shell:
        "mien shard --threads {threads} &> {log:q}"


rule shard_part:
    """Write some of the shards, where `compute.parts` cuts the stage into several jobs."""
    input:
        index=ancient(str(paths.INDEX)),
        manifest=ancient(str(paths.INDEX_MANIFEST)),
        drawn=[ancient(path) for path in plan.drawn_faces(PARAMS)],
    output:
        temp(SHARD_PART),
    log:
        "logs/shard/{part}.log",
    benchmark:
        "logs/shard/{part}.tsv"
    threads: workflow.cores
    params:
        **SHARD,
    shell:
        "mien shard --part {wildcards.part} --threads {threads} &> {log:q}"
