import json

import numpy as np
import pytest
import torch

from mien import cli, paths
from mien.classifier.resnet18 import recorded_classifier
from mien.expressions import EXPRESSIONS
from mien.runs import Run
from mien.tensors import load_tensors, save_tensors
from tests.verbs.conftest import pixels

pytestmark = pytest.mark.usefixtures("finished")


def said(capsys, *arguments):
    assert cli.main(["classify", *arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def expected(picture, checkpoint, temperature):
    classifier, _ = recorded_classifier(checkpoint)
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float().div(255)
    with torch.inference_mode():
        return torch.softmax(classifier(x).double() / temperature, 1)[0].tolist()


def test_a_picture_is_read_by_the_pretrained_classifier(capsys):
    (line,) = said(capsys, "photos/a.png")
    p = [line["probabilities"][name] for name in EXPRESSIONS]
    wanted = expected(pixels("photos/a.png"), paths.CLASSIFIER, 1.5)
    assert p == pytest.approx(wanted, abs=2e-6)
    assert line["expression"] == EXPRESSIONS[int(np.argmax(p))]
    assert line["file"] == "photos/a.png"


def test_a_coded_picture_is_read_by_the_classifier_of_its_run(capsys):
    cli.main(["encode", "photos/b.jpg", "-o", "b.mien", "--codec", "joint/q3"])
    cli.main(["decode", "b.mien", "-o", "b.png"])
    capsys.readouterr()
    (line,) = said(capsys, "b.mien")
    wanted = expected(pixels("b.png"), paths.checkpoint(Run("joint", "q3")), 2.5)
    assert list(line["probabilities"].values()) == pytest.approx(wanted, abs=2e-6)


def test_another_classifier_can_be_named(capsys):
    (one,) = said(capsys, "photos/a.png")
    (other,) = said(capsys, "photos/a.png", "--classifier", "joint/q3")
    (same,) = said(capsys, "photos/a.png", "--codec", "joint/q3")
    assert one["probabilities"] != other["probabilities"] == same["probabilities"]


def test_people_read_a_line_a_file(capsys):
    assert cli.main(["classify", "photos"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "photos/a.png",
        "photos/b.jpg",
        "photos/more/c.webp",
    ]
    for line in lines:
        name, share, sign = line.partition(": ")[2].split()
        assert name in EXPRESSIONS
        assert 12.5 <= float(share) <= 100
        assert sign == "%"


def test_a_classifier_that_is_not_calibrated_says_so(finished, capsys):
    tensors, record = load_tensors(paths.CLASSIFIER)
    del record["calibration"]
    save_tensors(finished / "plain.safetensors", tensors, record)
    assert cli.main(["classify", "photos/a.png", "--classifier", "plain.safetensors"]) == 0
    assert "plain.safetensors: not calibrated" in capsys.readouterr().err


def test_a_codec_alone_is_no_classifier(capsys):
    codec = str(paths.codec(3))
    assert cli.main(["classify", "photos/a.png", "--classifier", codec]) == 2
    assert f"{codec}: holds no classifier" in capsys.readouterr().err
