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


rule shard:
    """Write the pictures, resized and lossless, as WebDataset shards."""
    input:
        index=str(paths.INDEX),
        manifest=str(paths.INDEX_MANIFEST),
        drawn=plan.drawn_faces(PARAMS),
    output:
        manifest=str(paths.SHARDS_MANIFEST),
    log:
        "logs/shard.log",
    benchmark:
        "logs/shard.tsv"
    threads: workflow.cores
    params:
        config=PARAMS.shards.model_dump(mode="json"),
        code=code("shard"),
    shell:
        "mien shard --threads {threads} &> {log:q}"
