# Classic codecs, as runs like any other. One job has all qualities of a codec: it would take
# longer to start a job for each than to code. A codec whose library is missing has no rules.

for codec, settings in plan.classic_settings(PARAMS).items():

    rule:
        """Write the test set as complete files of one codec, at each of its qualities."""
        name:
            f"encode_{codec.replace('-', '_')}"
        input:
            shards=str(paths.SHARDS_MANIFEST),
        output:
            expand(
                "results/{codec}/{setting}/{file}",
                codec=codec,
                setting=settings,
                file=["streams.parquet", "streams.json"],
            ),
        log:
            f"logs/encode/{codec}.log",
        benchmark:
            f"logs/encode/{codec}.tsv"
        params:
            codec=codec,
            settings=settings,
            batch_size=PARAMS.evaluate.batch_size,
            library=library_of(codec),
            code=code("encode_classic"),
        shell:
            "mien encode-run {params.codec:q} {params.settings:q} --threads {threads} &> {log:q}"

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
        output:
            expand(
                "results/{codec}/{setting}/{file}",
                codec=codec,
                setting=settings,
                file=[
                    "per_image.parquet",
                    "raw.parquet",
                    "examples.parquet",
                    "evaluation.json",
                ],
            ),
        log:
            f"logs/decode/{codec}.log",
        benchmark:
            f"logs/decode/{codec}.tsv"
        threads: workflow.cores
        resources:
            gpu=1,
        params:
            codec=codec,
            settings=settings,
            examples=PARAMS.evaluate.examples,
            classifier=PARAMS.classifier.model_dump(mode="json"),
            code=code("decode_classic"),
        shell:
            "mien decode-run {params.codec:q} {params.settings:q} --threads {threads} &> {log:q}"
