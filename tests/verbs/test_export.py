"""An exported folder needs nothing of the place it came from."""

import json
import re

import numpy as np
import onnxruntime
import pytest
import torch
import yaml

from mien import cli, paths
from mien.classifier.resnet18 import recorded_classifier
from mien.codec.stream import load_coder
from mien.files import sha256_of
from mien.runs import Run
from tests.verbs.conftest import pixels

pytestmark = pytest.mark.usefixtures("finished")

NETWORKS = ("classifier", "g_a", "g_s", "h_a")


@pytest.fixture(scope="module")
def exported(finished_once, tmp_path_factory):
    """Return a folder that `mien export` wrote, moved elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished_once)
        target = tmp_path_factory.mktemp("exported") / "joint-q3"
        assert cli.main(["export", "joint/q3", str(target)]) == 0
    return target


def test_it_lists_and_holds_what_is_promised(exported):
    listed = json.loads((exported / "export.json").read_text())
    there = {str(p.relative_to(exported)) for p in exported.rglob("*") if p.is_file()}
    assert set(listed["files"]) == there - {"export.json"}
    assert {f"onnx/{name}.onnx" for name in NETWORKS} < there
    assert {"codec.safetensors", "classifier.safetensors", "README.md"} < there
    for name, digest in listed["files"].items():
        assert sha256_of(exported / name) == digest


def test_it_codes_and_reads_as_the_run_does(exported, finished, capsys):
    for codec, name in (("joint/q3", "a"), (str(exported), "b")):
        assert cli.main(["encode", "photos/b.jpg", "-o", f"{name}.mien", "--codec", codec]) == 0
    assert (finished / "a.mien").read_bytes() == (finished / "b.mien").read_bytes()
    capsys.readouterr()
    assert cli.main(["classify", "a.mien"]) == 0
    by_run = capsys.readouterr().out
    assert cli.main(["classify", "a.mien", "--codec", str(exported)]) == 0
    assert capsys.readouterr().out == by_run


def test_it_works_where_there_is_no_run(exported, finished, monkeypatch, tmp_path_factory):
    cli.main(["encode", "photos/b.jpg", "-o", "b.mien", "--codec", "joint/q3"])
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    decode = ["decode", str(finished / "b.mien"), "-o", "b.png"]
    assert cli.main(decode) == 2
    assert cli.main([*decode, "--codec", str(exported)]) == 0
    assert pixels("b.png").shape == (128, 128, 3)


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 64, 64), (3, 128, 192)])
def test_the_networks_compute_what_pytorch_does(exported, batch, height, width):
    codec = load_coder(exported / "codec.safetensors").coder.codec
    classifier = recorded_classifier(exported / "classifier.safetensors")[0]
    x = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        y = codec.g_a(x)
        pairs = {"g_a": (x, y), "h_a": (y, codec.h_a(y)), "g_s": (y, codec.g_s(y))}
        face = classifier.resized(x)
        pairs["classifier"] = (face, classifier(face))
    assert set(pairs) == set(NETWORKS)
    for name, (given, wanted) in pairs.items():
        session = onnxruntime.InferenceSession(str(exported / f"onnx/{name}.onnx"))
        (seen,) = session.run(None, {"input": given.numpy()})
        scale = np.abs(wanted.numpy()).max()
        assert np.abs(seen - wanted.numpy()).max() < 1e-4 * scale, name


def test_the_card_has_the_measured_numbers(exported):
    text = (exported / "README.md").read_text()
    run = json.loads(paths.STATISTICS.read_text())["runs"]["joint"]["q3"]
    assert f"| Rate, of stored bytes [bit/pixel] | {run['bpp']:.4f} |" in text
    accuracy = run["accuracy"]
    shown = f"{accuracy['value']:.2f} [{accuracy['low']:.2f}, {accuracy['high']:.2f}]"
    assert f"| Accuracy on decoded pictures [%] | {shown} |" in text
    assert "60 test images of drawn faces" in text
    assert "divided by 2.5, fitted on 40 decoded pictures" in text
    differences = [float(d) for d in re.findall(r"\| ([\d.e-]+) of [\d.e+]+ \|", text)]
    assert len(differences) == len(NETWORKS)
    assert max(differences) < 1e-3


@pytest.mark.parametrize("run", ["joint/q3", "pretrained/q3"])
@pytest.mark.parametrize(
    ("weights", "start", "licensed"),
    [
        ("libreface", None, True),
        ("files/resnet.pt", None, True),
        ("mine.safetensors", "libreface", False),
        ("scratch", "libreface", True),
        ("scratch", "imagenet", False),
        ("scratch", None, False),
    ],
)
def test_the_card_says_whose_weights_a_classifier_was_trained_from(
    finished, run, weights, start, licensed
):
    params = yaml.safe_load(paths.PARAMS.read_text())
    params["classifier"]["weights"] = weights
    params["pretrain"]["classifier"]["start"] = start
    paths.PARAMS.write_text(yaml.safe_dump(params))
    assert cli.main(["export", run, "out", "--no-onnx"]) == 0
    text = (finished / "out/README.md").read_text()
    assert ("research and non-profit use only" in text) == licensed


def test_networks_can_be_left_out(finished):
    assert cli.main(["export", "joint/q3", "out", "--no-onnx"]) == 0
    assert not (finished / "out/onnx").exists()
    assert "ONNX" not in (finished / "out/README.md").read_text()


def test_a_folder_of_somebody_elses_is_never_replaced(finished, capsys):
    export = ["export", "joint/q3", "out", "--no-onnx"]
    (finished / "out").mkdir()
    for arguments in (export, [*export, "--force"]):
        assert cli.main(arguments) == 2
        assert "out: is there already: name another" in capsys.readouterr().err
    (finished / "out").rmdir()
    assert cli.main(export) == 0
    (finished / "out/README.md").write_text("old")
    assert cli.main(export) == 2
    assert "out: is there already: --force replaces it" in capsys.readouterr().err
    assert cli.main([*export, "--force"]) == 0
    assert (finished / "out/README.md").read_text() != "old"


def test_a_run_that_was_not_measured_is_refused(finished, capsys):
    assert cli.main(["export", "codec-rd/q3", "out"]) == 2
    assert "codec-rd/q3: not a run of params.yaml" in capsys.readouterr().err
    paths.checkpoint(Run("joint", "q3")).unlink()
    assert cli.main(["export", "joint/q3", "out"]) == 2
    assert "results/joint/q3/checkpoint.safetensors: no such" in capsys.readouterr().err
    assert not (finished / "out").exists()
    assert not list(finished.glob(".*.tmp"))
