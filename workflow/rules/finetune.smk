# The trainings that are compared.


rule finetune:
    """Fine-tune one codec, and with `joint` the classifier, for one loss setting."""
    input:
        shards=str(paths.SHARDS_MANIFEST),
        codec=lambda w: f"models/codec/{w.setting[:2]}.json",
        classifier=str(paths.manifest_of(paths.CLASSIFIER)),
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
        gpu=1,
    params:
        config=lambda w: plan.run_config(PARAMS, w.strategy, w.setting),
        code=plan.code("finetune"),
    shell:
        "mien finetune {wildcards.strategy:q} {wildcards.setting:q} --threads {threads} &> {log:q}"
