"""mien encode and mien decode, as typed."""

import numpy as np
import pytest
from PIL import Image

from mien import cli, paths
from mien.codec.container import parse
from mien.runs import Run
from tests.verbs.conftest import pixels

pytestmark = pytest.mark.usefixtures("finished")

JOINT = str(paths.checkpoint(Run("joint", "q3")))


def refused(capsys, *arguments):
    """Run a command that must fail; return its message."""
    assert cli.main(list(arguments)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_picture_comes_back_in_its_size(finished, capsys):
    assert cli.main(["encode", "photos/a.png", "-o", "a.mien", "--codec", "joint/q3"]) == 0
    said = capsys.readouterr().out
    n_bytes = (finished / "a.mien").stat().st_size
    assert said == f"a.mien: 70x100, {n_bytes} bytes, {8 * n_bytes / 7000:.4f} bit/pixel\n"
    assert cli.main(["decode", "a.mien", "-o", "a.png"]) == 0
    assert capsys.readouterr().out == "a.png: 70x100\n"
    assert pixels("a.png").shape == (100, 70, 3)
    assert np.abs(pixels("a.png").astype(int) - pixels("photos/a.png")).mean() < 40


def test_a_folder_is_coded_as_it_lies(finished, capsys):
    options = ["--codec", "joint/q3", "--verify"]
    assert cli.main(["encode", "photos", "-o", "out", *options]) == 0
    written = [p for p in sorted((finished / "out").rglob("*")) if p.is_file()]
    assert [str(p.relative_to(finished / "out")) for p in written] == [
        "a.mien",
        "b.mien",
        "more/c.mien",
    ]
    said = capsys.readouterr().out.splitlines()
    assert all("verified, PSNR" in line for line in said[:3])
    assert said[3].startswith("3 pictures, ")
    assert cli.main(["decode", "out", "-o", "back"]) == 0
    for name, size in (("a", (100, 70, 3)), ("b", (128, 128, 3)), ("more/c", (65, 33, 3))):
        assert pixels(f"back/{name}.png").shape == size


def test_a_pattern_names_files(finished):
    assert cli.main(["encode", "photos/*.[pj]*g", "-o", "out/", "--codec", JOINT]) == 0
    assert sorted(p.name for p in (finished / "out").iterdir()) == ["a.mien", "b.mien"]


def test_decode_finds_the_codec_that_wrote_each_file(finished):
    for name in ("joint/q3", "pretrained/q3"):
        out = name.replace("/", "-") + ".mien"
        assert cli.main(["encode", "photos/b.jpg", "-o", out, "--codec", name]) == 0
    mine, theirs = (
        parse((finished / f"{s}-q3.mien").read_bytes()) for s in ("joint", "pretrained")
    )
    assert mine.codec != theirs.codec
    assert cli.main(["decode", "joint-q3.mien", "pretrained-q3.mien", "-o", "back"]) == 0
    assert (pixels("back/joint-q3.png") != pixels("back/pretrained-q3.png")).any()


def test_a_codec_that_is_not_here_is_named(finished, capsys):
    cli.main(["encode", "photos/b.jpg", "-o", "b.mien", "--codec", "joint/q3"])
    codec = parse((finished / "b.mien").read_bytes()).codec
    (finished / "results/joint/q3/checkpoint.json").unlink()
    capsys.readouterr()
    message = refused(capsys, "decode", "b.mien", "-o", "b.png")
    assert f"b.mien: written by codec {codec}.., which is neither in models/codec" in message
    message = refused(capsys, "decode", "b.mien", "-o", "b.png", "--codec", "pretrained/q3")
    assert f"b.mien: written by codec {codec}.., not by" in message
    assert not (finished / "b.png").exists()
    assert cli.main(["decode", "b.mien", "-o", "b.png", "--codec", JOINT]) == 0


def test_nothing_is_overwritten_without_force(finished, capsys):
    encode = ["encode", "photos", "-o", "out", "--codec", "joint/q3"]
    (finished / "out/more").mkdir(parents=True)
    (finished / "out/more/c.mien").write_text("mine")
    assert "out/more/c.mien: is there already: --force replaces it" in refused(capsys, *encode)
    assert [p.name for p in (finished / "out").rglob("*") if p.is_file()] == ["c.mien"]
    assert (finished / "out/more/c.mien").read_text() == "mine"
    assert cli.main([*encode, "--force"]) == 0
    assert (finished / "out/more/c.mien").read_bytes().startswith(b"mien")


def test_a_damaged_file_gives_no_picture(finished, capsys):
    cli.main(["encode", "photos/b.jpg", "-o", "b.mien", "--codec", "joint/q3"])
    data = bytearray((finished / "b.mien").read_bytes())
    data[-3] ^= 4
    (finished / "b.mien").write_bytes(data)
    capsys.readouterr()
    assert "b.mien: damaged: its checksum" in refused(capsys, "decode", "b.mien", "-o", "b.png")
    assert not list(finished.glob("*.png"))
    assert not list(finished.glob(".*.tmp"))


def test_verify_refuses_what_does_not_come_back(finished, capsys, monkeypatch):
    import mien.verbs.coding as coding

    def other(loaded, data):
        picture, symbols = original(loaded, data)
        return picture, symbols[::-1]

    original = coding.decode_picture
    monkeypatch.setattr(coding, "decode_picture", other)
    message = refused(
        capsys, "encode", "photos/b.jpg", "-o", "b.mien", "--codec", "joint/q3", "--verify"
    )
    assert "photos/b.jpg: does not decode to what was encoded" in message
    assert not (finished / "b.mien").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["photos/none.png", "-o", "a.mien"], "photos/none.png: no such file"),
        (["models", "-o", "out"], "models: a folder without any of .avif"),
        (["photos/notes.txt", "-o", "a.mien"], "photos/notes.txt: cannot be decoded"),
        (
            ["photos/a.png", "photos/b.jpg", "photos/a.jpg", "-o", "out"],
            "photos/a.jpg: no such",
        ),
    ],
)
def test_what_is_no_picture_is_named(finished, capsys, arguments, said):
    assert said in refused(capsys, "encode", *arguments, "--codec", "joint/q3")
    assert not (finished / "out").exists()


def test_two_pictures_of_one_name_are_refused(capsys):
    Image.open("photos/a.png").save("photos/a.bmp")
    message = refused(capsys, "encode", "photos", "-o", "out", "--codec", "joint/q3")
    assert "out/a.mien: would be written for photos/a.bmp and for photos/a.png" in message


@pytest.mark.parametrize("name", ["joint", "joint/q9", "nobody/q3", "photos"])
def test_a_codec_that_is_none_is_refused(capsys, name):
    message = refused(capsys, "encode", "photos/a.png", "-o", "a.mien", "--codec", name)
    assert f"{name}: neither a run such as joint/q3" in message


def test_a_run_that_was_not_trained_is_named(capsys):
    message = refused(capsys, "encode", "photos/a.png", "-o", "a.mien", "--codec", "joint/q5")
    assert "results/joint/q5/checkpoint.safetensors: no such weights file" in message


def test_pictures_are_written_without_loss_alone(capsys):
    cli.main(["encode", "photos/b.jpg", "-o", "b.mien", "--codec", "joint/q3"])
    capsys.readouterr()
    assert "b.jpg: pictures are written as" in refused(
        capsys, "decode", "b.mien", "-o", "b.jpg"
    )
    found = []
    for suffix in (".png", ".webp", ".bmp", ".ppm", ".tif"):
        assert cli.main(["decode", "b.mien", "-o", f"b{suffix}"]) == 0
        found.append(pixels(f"b{suffix}"))
    assert all((one == found[0]).all() for one in found)


def test_a_source_is_never_written_over(capsys):
    cli.main(["encode", "photos/b.jpg", "-o", "b.mien", "--codec", "joint/q3"])
    capsys.readouterr()
    message = refused(capsys, "decode", "b.mien", "-o", "b.mien", "--force")
    assert "b.mien: is read and would be written" in message
