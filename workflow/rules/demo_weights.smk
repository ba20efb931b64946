# The committed weights of the demo, made again from their seed: `snakemake demo_weights`.


rule demo_weights:
    """Train them as presets/demo-weights.yaml says, in a folder of their own (about an hour)."""
    output:
        "work/demo-weights/done",
    log:
        "logs/demo_weights.log",
    benchmark:
        "logs/demo_weights.tsv"
    threads: workflow.cores
    resources:
        gpu=1,
    params:
        snakefile=workflow.snakefile,
        params=workflow.source_path("../../presets/demo-weights.yaml"),
    shell:
        "mkdir -p work/demo-weights && cp {params.params:q} work/demo-weights/params.yaml && "
        "snakemake --snakefile {params.snakefile:q} --directory work/demo-weights "
        "--cores {threads} --resources gpu=1 models &> {log:q} && "
        "mien pack work/demo-weights/models weights/demo &>> {log:q} && touch {output:q}"


rule models:
    """The pretrained models alone."""
    input:
        plan.models(PARAMS),
