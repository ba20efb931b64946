"""A command's start without point clouds and compilers, each in a process of its own."""

import subprocess
import sys

from mien.quickstart import LEFT_OUT


def said(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_command_that_runs_networks_loads_no_point_clouds_and_no_compiler(tmp_path):
    code = f"""
import sys
from mien import cli
cli.main(["decode", "{tmp_path}/none.mien", "-o", "{tmp_path}", "--threads", "1"])
print("compressai.models" in sys.modules, "mien.codec.model" in sys.modules)
print(*sorted({{"torch._dynamo", *{LEFT_OUT}}} & set(sys.modules)))
"""
    assert said(code) == ["True", "True"]


def test_afterwards_all_of_it_can_be_imported_and_used():
    code = f"""
from mien.quickstart import quick_start
quick_start()
import importlib, torch
from compressai.models import MeanScaleHyperprior
codec = MeanScaleHyperprior(8, 8)
print(codec.update(), len(codec.compress(torch.zeros(1, 3, 64, 64))["strings"]))
print(*(importlib.import_module(name).__file__ for name in {(*LEFT_OUT, "torch._dynamo")}))
"""
    updated, strings, *files = said(code)
    assert (updated, strings) == ("True", "2")
    assert [file.endswith(".py") for file in files] == [True] * (len(LEFT_OUT) + 1)


def test_a_process_that_has_loaded_compressai_keeps_all_of_it():
    code = """
import compressai.transforms, torch_geometric
from mien.quickstart import quick_start
quick_start()
from compressai.transforms import SamplePointsV2
print(issubclass(SamplePointsV2, torch_geometric.transforms.BaseTransform))
"""
    assert said(code) == ["True"]


def test_a_failing_import_leaves_nothing_behind():
    code = """
import sys
from mien.quickstart import quick_start
sys.modules["einops"] = None
try:
    quick_start()
except ImportError as error:
    print(type(error).__name__)
finders = [type(finder).__name__ for finder in sys.meta_path]
print("_Without" in finders, "torch_geometric" in sys.modules)
"""
    assert said(code) == ["ModuleNotFoundError", "False", "False"]
