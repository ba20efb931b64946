# What the stages of dvc.yaml ask for, by name: `snakemake trained`. The last one asks for `all`.


rule shards:
    """The data set, ready to train on."""
    input:
        outputs.shards(),


rule models:
    """The pretrained models alone."""
    input:
        outputs.pretrained(PARAMS),


rule trained:
    """Every training."""
    input:
        outputs.trained(PARAMS),


rule evaluated:
    """Every run on the test set, and metrics.json."""
    input:
        outputs.evaluated(PARAMS),
