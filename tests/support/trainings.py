"""What every strategy can be trained with in seconds: its runs and params."""

from mien.runs import ALL, Run

RUNS = {
    strategy: Run(strategy, ALL if strategy == "classifier-raw" else "q1")
    for strategy in (
        "compression-only",
        "joint",
        "codec-rd",
        "classifier-raw",
        "classifier-decoded",
    )
}
PARAMS = {
    "pretrain": {"evaluations": 1},
    "finetune": {"epochs": 2, "lr": 1e-3, "classifier_lr": 1e-3},
    "compute": {"save_seconds": 0.0},
}
