# Classic codecs, as runs like any other. One job has all qualities of a codec: it would take
# longer to start a job for each than to code. A codec whose library is missing has no rules.

WRITTEN = ["streams.parquet", "streams.json", "encode_seconds.parquet"]
MEASURED = [
    "per_image.parquet",
    "raw.parquet",
    "examples.parquet",
    "evaluation.json",
    "decode_seconds.parquet",
]

for codec, settings in plan.classic_settings(PARAMS).items():
    ENCODE_CLASSIC = {
        "codec": codec,
        "settings": settings,
        "batch_size": PARAMS.evaluate.batch_size,
        "library": library_of(codec),
        "code": code("encode_classic"),
    }
    DECODE_CLASSIC = {
        "codec": codec,
        "settings": settings,
        "examples": PARAMS.evaluate.examples,
        "classifier": PARAMS.classifier.model_dump(mode="json"),
        "code": code("decode_classic"),
    }
    encode_parts = [f"work/parts/encode/{codec}/{s}/{{part}}.parquet" for s in settings]
    decode_parts = [f"work/parts/decode/{codec}/{s}/{{part}}.parquet" for s in settings]

    rule:
        """Write the test set as complete files of one codec, at each of its qualities."""
        name:
            f"encode_{codec.replace('-', '_')}"
        input:
            shards=str(paths.SHARDS_MANIFEST),
            parts=[f for parts in encode_parts for f in plan.parts(PARAMS, parts)],
        output:
            expand(
                "results/{codec}/{setting}/{file}",
                codec=codec,
                setting=settings,
                file=WRITTEN,
            ),
        log:
            f"logs/encode/{codec}.log",
        benchmark:
            f"logs/encode/{codec}.tsv"
        params:
            **ENCODE_CLASSIC,
        shell:
            "mien encode-run {params.codec:q} {params.settings:q} --threads {threads} &> {log:q}"

    rule:
        """Code some of the pictures."""
        name:
            f"encode_{codec.replace('-', '_')}_part"
        input:
            shards=ancient(str(paths.SHARDS_MANIFEST)),
        output:
            temp(encode_parts),
        log:
            f"logs/encode/{codec}/{{part}}.log",
        benchmark:
            f"logs/encode/{codec}/{{part}}.tsv"
        params:
            **ENCODE_CLASSIC,
        shell:
            "mien encode-run {params.codec:q} {params.settings:q} --part {wildcards.part} "
            "--threads {threads} &> {log:q}"

    rule:
        """Decode those files; classify and measure the pictures."""
        name:
            f"decode_{codec.replace('-', '_')}"
        input:
            shards=str(paths.SHARDS_MANIFEST),
            streams=expand(
                "results/{codec}/{setting}/streams.json", codec=codec, setting=settings
            ),
            classifier=str(paths.manifest_of(paths.CLASSIFIER)),
            parts=[f for parts in decode_parts for f in plan.parts(PARAMS, parts)],
        output:
            expand(
                "results/{codec}/{setting}/{file}",
                codec=codec,
                setting=settings,
                file=MEASURED,
            ),
        log:
            f"logs/decode/{codec}.log",
        benchmark:
            f"logs/decode/{codec}.tsv"
        threads: workflow.cores if PARAMS.compute.parts == 1 else 1
        resources:
            gpu=1 if PARAMS.compute.parts == 1 else 0,
        params:
            **DECODE_CLASSIC,
        shell:
            "mien decode-run {params.codec:q} {params.settings:q} --threads {threads} &> {log:q}"

    rule:
        """Decode some of the pictures; classify and measure them."""
        name:
            f"decode_{codec.replace('-', '_')}_part"
        input:
            shards=ancient(str(paths.SHARDS_MANIFEST)),
            streams=ancient(
                expand(
                    "results/{codec}/{setting}/streams.json",
                    codec=codec,
                    setting=settings,
                )
            ),
            classifier=ancient(str(paths.manifest_of(paths.CLASSIFIER))),
        output:
            temp(decode_parts),
        log:
            f"logs/decode/{codec}/{{part}}.log",
        benchmark:
            f"logs/decode/{codec}/{{part}}.tsv"
        threads: workflow.cores
        resources:
            gpu=1,
        params:
            **DECODE_CLASSIC,
        shell:
            "mien decode-run {params.codec:q} {params.settings:q} --part {wildcards.part} "
            "--threads {threads} &> {log:q}"
