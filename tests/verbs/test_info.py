import pytest

from mien import cli

pytestmark = pytest.mark.usefixtures("finished")


def said(capsys, path):
    assert cli.main(["info", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    return dict((part.strip() for part in line.split("  ", 1)) for line in lines)


def test_a_coded_picture(finished, capsys):
    cli.main(["encode", "photos/a.png", "-o", "a.mien", "--codec", "joint/q3"])
    capsys.readouterr()
    facts = said(capsys, "a.mien")
    n_bytes = (finished / "a.mien").stat().st_size
    assert facts["size"] == "70x100 pixels"
    assert facts["bytes"].startswith(f"{n_bytes}, {n_bytes - 15} of them the stream")
    assert "results/joint/q3/checkpoint.safetensors" in facts["codec"]
    assert facts["rate"] == f"{8 * n_bytes / 7000:.4f} bit/pixel"


def test_a_coded_picture_of_elsewhere(finished, capsys, monkeypatch, tmp_path_factory):
    cli.main(["encode", "photos/a.png", "-o", "a.mien", "--codec", "joint/q3"])
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    capsys.readouterr()
    assert "not in this folder" in said(capsys, str(finished / "a.mien"))["codec"]


def test_weights(capsys):
    facts = said(capsys, "results/joint/q3/checkpoint.safetensors")
    assert facts["kind"] == "weights: classifier, codec, exact"
    assert facts["strategy"] == "joint"
    assert facts["calibration"].startswith("temperature 2.5 on 40 decoded pictures of val")
    assert said(capsys, "models/classifier.safetensors")["kind"] == "weights: classifier"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.mien", "none.mien: no such file"),
        ("photos/b.jpg", "photos/b.jpg: neither a .mien file"),
        ("results/joint/q3/streams.parquet", "not an archive of streams"),
    ],
)
def test_what_it_does_not_know(capsys, path, message):
    assert cli.main(["info", path]) == 2
    assert message in capsys.readouterr().err
