# The committed weights of the demo, made again from their seed: `snakemake demo_weights`.
# They are not outputs of the rule, or every change of code would train them anew before a demo.


rule demo_weights:
    """Train them as their preset says, in a folder of their own (about an hour)."""
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
        snakefile=workflow.main_snakefile,
        preset=config.get("demo_preset", "presets/demo-weights.yaml"),
        folder=config.get("demo_folder", "weights/demo"),
    shell:
        "(mkdir -p work/demo-weights && cp {params.preset:q} work/demo-weights/params.yaml && "
        "snakemake models --snakefile {params.snakefile:q} --directory work/demo-weights "
        "--cores {threads} && mien pack work/demo-weights/models {params.folder:q} && "
        "touch {output:q}) &> {log:q}"
