# The models that every run starts from: given weights, or trained here.


rule pretrain_codec:
    """One quality of the codec; trained here, it starts from the quality above it."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        weights=lambda w: plan.weights_files(PARAMS, int(w.quality)),
        higher=lambda w: plan.higher_codec(PARAMS, int(w.quality)),
    output:
        **(
            {"history": "models/codec/q{quality}.csv"}
            if PARAMS.codec.weights == SCRATCH
            else {}
        ),
        tensors="models/codec/q{quality}.safetensors",
        manifest="models/codec/q{quality}.json",
    log:
        "logs/pretrain/codec-q{quality}.log",
    benchmark:
        "logs/pretrain/codec-q{quality}.tsv"
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        reads=lambda w: plan.read_by_pretrain(PARAMS, int(w.quality)),
        config=plan.pretrain_config(PARAMS, "codec"),
        code=code("pretrain"),
    shell:
        "mien pretrain-codec {wildcards.quality} --threads {threads} &> {log:q}"


rule pretrain_classifier:
    """The expression classifier."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        weights=plan.classifier_files(PARAMS),
    output:
        **(
            {"history": "models/classifier.csv"}
            if PARAMS.classifier.weights == SCRATCH
            else {}
        ),
        tensors=str(paths.CLASSIFIER),
        manifest=str(paths.manifest_of(paths.CLASSIFIER)),
    log:
        "logs/pretrain/classifier.log",
    benchmark:
        "logs/pretrain/classifier.tsv"
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        reads=plan.classifier_files(PARAMS),
        config=plan.pretrain_config(PARAMS, "classifier"),
        code=code("pretrain"),
    shell:
        "mien pretrain-classifier --threads {threads} &> {log:q}"
