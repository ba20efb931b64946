# The test set as real bitstreams, and back. With `compute.parts` above 1 the parts do the work,
# and the rules without `_part` join them.
#
# Inputs of parts are `ancient`: whether there is something to do is for the rules that join to say,
# whose records outlive it. Those of parts need not be there, and a newer date of an unchanged
# manifest, as after a checkout, would run them. What is joined is compared with what it was made
# from.

ENCODE = {
    "batch_size": PARAMS.evaluate.batch_size,
    "entropy": PARAMS.codec.entropy,
    "precision": PARAMS.evaluate.precision,
    "examples": PARAMS.evaluate.examples,
    "code": code("encode"),
}
ENCODE_PART = "work/parts/encode/{strategy}/{setting}/{part}.parquet"
DECODE = {
    "examples": PARAMS.evaluate.examples,
    "classifier": PARAMS.classifier.model_dump(mode="json"),
    "code": code("decode"),
}
DECODE_PART = "work/parts/decode/{strategy}/{setting}/{part}.parquet"


rule encode:
    """Write the test set as one run's bitstreams."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        codec=lambda w: plan.codec_manifest(w.strategy, w.setting),
        parts=plan.parts(PARAMS, ENCODE_PART),
    output:
        streams="results/{strategy}/{setting}/streams.parquet",
        manifest="results/{strategy}/{setting}/streams.json",
        bits="results/{strategy}/{setting}/bits.parquet",
        bits_manifest="results/{strategy}/{setting}/bits.json",
        seconds="results/{strategy}/{setting}/encode_seconds.parquet",
    log:
        "logs/encode/{strategy}/{setting}.log",
    benchmark:
        "logs/encode/{strategy}/{setting}.tsv"
    threads: workflow.cores if PARAMS.compute.parts == 1 else 1
    resources:
        gpu=1 if PARAMS.compute.parts == 1 else 0,
    params:
        **ENCODE,
        reads=lambda w: plan.codec_manifest(w.strategy, w.setting),
    shell:
        "mien encode-run {wildcards.strategy:q} {wildcards.setting:q} --threads {threads} &> {log:q}"


rule encode_part:
    """Code some of the pictures of a run."""
    input:
        shards=ancient(str(paths.SHARDS_MANIFEST)),
        codec=ancient(lambda w: plan.codec_manifest(w.strategy, w.setting)),
    output:
        temp(ENCODE_PART),
    log:
        "logs/encode/{strategy}/{setting}/{part}.log",
    benchmark:
        "logs/encode/{strategy}/{setting}/{part}.tsv"
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        **ENCODE,
        reads=lambda w: plan.codec_manifest(w.strategy, w.setting),
    shell:
        "mien encode-run {wildcards.strategy:q} {wildcards.setting:q} --part {wildcards.part} "
        "--threads {threads} &> {log:q}"


rule decode:
    """Decode the stored bytes; classify and measure the pictures."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        streams=lambda w: plan.streams_manifest(w.strategy, w.setting),
        classifier=lambda w: plan.classifier_manifest(w.strategy, w.setting),
        parts=plan.parts(PARAMS, DECODE_PART),
    output:
        decoded="results/{strategy}/{setting}/per_image.parquet",
        raw="results/{strategy}/{setting}/raw.parquet",
        examples="results/{strategy}/{setting}/examples.parquet",
        manifest="results/{strategy}/{setting}/evaluation.json",
        seconds="results/{strategy}/{setting}/decode_seconds.parquet",
    log:
        "logs/decode/{strategy}/{setting}.log",
    benchmark:
        "logs/decode/{strategy}/{setting}.tsv"
    threads: workflow.cores if PARAMS.compute.parts == 1 else 1
    resources:
        gpu=1 if PARAMS.compute.parts == 1 else 0,
    params:
        **DECODE,
        reads=lambda w: plan.read_by_decode(w.strategy, w.setting),
    shell:
        "mien decode-run {wildcards.strategy:q} {wildcards.setting:q} --threads {threads} &> {log:q}"


rule decode_part:
    """Decode some of the pictures of a run; classify and measure them."""
    input:
        shards=ancient(str(paths.SHARDS_MANIFEST)),
        streams=ancient(lambda w: plan.streams_manifest(w.strategy, w.setting)),
        classifier=ancient(lambda w: plan.classifier_manifest(w.strategy, w.setting)),
    output:
        temp(DECODE_PART),
    log:
        "logs/decode/{strategy}/{setting}/{part}.log",
    benchmark:
        "logs/decode/{strategy}/{setting}/{part}.tsv"
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        **DECODE,
        reads=lambda w: plan.read_by_decode(w.strategy, w.setting),
    shell:
        "mien decode-run {wildcards.strategy:q} {wildcards.setting:q} --part {wildcards.part} "
        "--threads {threads} &> {log:q}"
