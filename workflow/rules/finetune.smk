# The trainings that are compared.


rule finetune:
    """Train a run: a codec, a classifier or both, for one loss setting."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        models=lambda w: plan.read_by_finetune(PARAMS, w.strategy, w.setting),
    output:
        checkpoint="results/{strategy}/{setting}/checkpoint.safetensors",
        manifest="results/{strategy}/{setting}/checkpoint.json",
        history="results/{strategy}/{setting}/history.csv",
    log:
        "logs/finetune/{strategy}/{setting}.log",
    benchmark:
        "logs/finetune/{strategy}/{setting}.tsv"
    threads: workflow.cores
    resources:
        gpu=PARAMS.compute.devices,
    params:
        reads=lambda w: plan.read_by_finetune(PARAMS, w.strategy, w.setting),
        config=lambda w: run_config(PARAMS, Run(w.strategy, w.setting)),
        code=code("finetune"),
    shell:
        "mien finetune {wildcards.strategy:q} {wildcards.setting:q} --threads {threads} &> {log:q}"


rule histories:
    """The histories of all trainings in one table."""
    input:
        outputs.histories(PARAMS),
    output:
        str(paths.HISTORIES),
    log:
        "logs/histories.log",
    benchmark:
        "logs/histories.tsv"
    params:
        reads=outputs.histories(PARAMS),
        code=code("histories"),
    shell:
        "mien histories &> {log:q}"
