# The test set as real bitstreams, and back.


rule encode:
    """Write the test set as one run's bitstreams."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        codec=lambda w: plan.codec_manifest(w.strategy, w.setting),
    output:
        streams="results/{strategy}/{setting}/streams.parquet",
        manifest="results/{strategy}/{setting}/streams.json",
        bits="results/{strategy}/{setting}/bits.parquet",
        bits_manifest="results/{strategy}/{setting}/bits.json",
    log:
        "logs/encode/{strategy}/{setting}.log",
    benchmark:
        "logs/encode/{strategy}/{setting}.tsv"
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        batch_size=PARAMS.evaluate.batch_size,
        entropy=PARAMS.codec.entropy,
        precision=PARAMS.evaluate.precision,
        examples=PARAMS.evaluate.examples,
        code=code("encode"),
    shell:
        "mien encode-run {wildcards.strategy:q} {wildcards.setting:q} --threads {threads} &> {log:q}"


rule decode:
    """Decode the stored bytes; classify and measure the pictures."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        streams=lambda w: plan.streams_manifest(w.strategy, w.setting),
        classifier=lambda w: plan.classifier_manifest(w.strategy, w.setting),
    output:
        decoded="results/{strategy}/{setting}/per_image.parquet",
        raw="results/{strategy}/{setting}/raw.parquet",
        examples="results/{strategy}/{setting}/examples.parquet",
        manifest="results/{strategy}/{setting}/evaluation.json",
    log:
        "logs/decode/{strategy}/{setting}.log",
    benchmark:
        "logs/decode/{strategy}/{setting}.tsv"
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        examples=PARAMS.evaluate.examples,
        classifier=PARAMS.classifier.model_dump(mode="json"),
        code=code("decode"),
    shell:
        "mien decode-run {wildcards.strategy:q} {wildcards.setting:q} --threads {threads} &> {log:q}"
