"""mien: from a folder of faces to the tables and figures of the paper.

snakemake --cores all --resources gpu=1
"""

import sys
from pathlib import Path
from typing import get_args

from snakemake.utils import min_version

# The source beside this file is what runs, and what `code` is a digest of, wherever the command
# `mien` was installed from: in a clone, a git worktree, a copy that `dvc exp run --temp` makes.
# (`logger: mien` of the profile may have been imported from there already.)
sys.path.insert(0, str(Path(workflow.basedir) / "src"))
for name in [name for name in sys.modules if name.partition(".")[0] == "mien"]:
    del sys.modules[name]

from mien import outputs, paths, running, workflow as plan
from mien.codec.classic import library_of
from mien.errors import MienError
from mien.params import SCRATCH, Strategy, load_params
from mien.raw import pointer_digest
from mien.runs import ALL, SETTING, Run, run_config
from mien.source import code, use_in_jobs

min_version("9.5")
use_in_jobs()

try:
    PARAMS = load_params(paths.PARAMS)
    plan.check_data_root(PARAMS)
    if workflow.is_main_process and not workflow.output_settings.dryrun:
        running.begin(Path.cwd())
except MienError as error:
    sys.exit(f"mien: {error}")  # one line, exit code 1

for codec, command in plan.missing(PARAMS).items():
    print(
        f"mien: {codec}: left out: its library is not installed: {command}",
        file=sys.stderr,
    )


wildcard_constraints:
    quality=r"[1-8]",
    strategy="|".join(["pretrained", *get_args(Strategy)]),
    part=r"[0-9]+-of-[0-9]+",
    setting=rf"{ALL}(-seed[0-9]+)?|{SETTING}",


include: "workflow/rules/data.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/classic.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/demo_weights.smk"
include: "workflow/rules/targets.smk"


localrules:
    all,
    shards,
    models,
    trained,
    evaluated,


rule all:
    default_target: True
    input:
        outputs.everything(PARAMS),
