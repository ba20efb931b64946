# From pictures on disk to shards.


if PARAMS.data.faces is not None:

    rule faces:
        """Draw the embedded faces in AffectNet's own layout."""
        output:
            manifest=str(paths.FACES_MANIFEST),
        params:
            config=PARAMS.data.faces.model_dump(),
            root=PARAMS.data.root,
            code=plan.code("data/faces", "data/portrait", "expressions"),
        threads: workflow.cores
        log:
            "logs/faces.log",
        benchmark:
            "logs/faces.tsv"
        shell:
            "mien faces --threads {threads} &> {log:q}"


rule ingest:
    """List and check the data set; carve `val` from its training part."""
    input:
        plan.drawn_faces(PARAMS),
    output:
        index=str(paths.INDEX),
        manifest=str(paths.INDEX_MANIFEST),
    params:
        config=PARAMS.data.model_dump(mode="json"),
        code=plan.code("data/affectnet", "data/split", "stages/ingest"),
    threads: workflow.cores
    log:
        "logs/ingest.log",
    benchmark:
        "logs/ingest.tsv"
    shell:
        "mien ingest --threads {threads} &> {log:q}"


rule shard:
    """Write the pictures, resized and lossless, as WebDataset shards."""
    input:
        index=str(paths.INDEX),
        manifest=str(paths.INDEX_MANIFEST),
    output:
        manifest=str(paths.SHARDS_MANIFEST),
    params:
        config=PARAMS.shards.model_dump(mode="json"),
        code=plan.code("data", "stages/shard"),
    threads: workflow.cores
    log:
        "logs/shard.log",
    benchmark:
        "logs/shard.tsv"
    shell:
        "mien shard --threads {threads} &> {log:q}"
