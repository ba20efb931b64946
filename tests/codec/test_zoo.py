import hashlib
import re

import pytest
import torch
from compressai.zoo import mbt2018_mean

from mien.codec import zoo
from mien.codec.model import new_codec
from mien.errors import CheckpointError
from mien.tensors import fingerprint, save_tensors, under

# How CompressAI has named the fourteen tensors of the bottleneck, oldest first.
GENERATIONS = {
    "_matrices.0": lambda plural, _, place: f"_{plural}.{place}",
    "_matrix0": lambda _, single, place: f"_{single}{place}",
    "matrices.0": lambda plural, _, place: f"{plural}.{place}",
}
SINGLE = {"matrices": "matrix", "biases": "bias", "factors": "factor"}
TODAY = re.compile(r"entropy_bottleneck\.(matrices|biases|factors)\.(\d)")


def named_as(state, generation):
    """Return a state dict of today's CompressAI under the names of a generation."""

    def rename(match):
        plural, place = match.groups()
        return "entropy_bottleneck." + GENERATIONS[generation](plural, SINGLE[plural], place)

    assert sum(TODAY.fullmatch(name) is not None for name in state) == 14
    return {TODAY.sub(rename, name): tensor for name, tensor in state.items()}


def saved(state, folder, monkeypatch, quality=1, **options):
    """Write a file as the zoo names it, the hash of its bytes in its name."""
    draft = folder / "draft"
    torch.save(state, draft, **options)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()[:8]
    path = draft.rename(folder / f"mbt2018-mean-{quality}-{digest}.pth.tar")
    urls = {"mbt2018-mean": {"mse": {quality: f"http://127.0.0.1:9/{path.name}"}}}
    monkeypatch.setattr(zoo, "model_urls", urls)  # port 9: nobody answers
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "compressai"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def full_state():
    """Return the state dict of quality 1 as the zoo has it, 7,028,003 parameters."""
    torch.manual_seed(1)
    codec = mbt2018_mean(1, pretrained=False)
    codec.update()
    return codec.state_dict()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation_of_names_and_formats_gives_the_same_codec(
    trained_codec, faces, generation, zipped, tmp_path
):
    path = tmp_path / "file.pth.tar"
    state = named_as(trained_codec.state_dict(), generation)
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    loaded = zoo.codec_from_zoo(path, (16, 24))
    assert same(loaded, trained_codec)
    x = faces[:2].float().div(255)
    with torch.no_grad():
        out, expected = loaded(x), trained_codec(x)
    assert torch.equal(out["x_hat"], expected["x_hat"])
    for name in ("y", "z"):
        assert torch.equal(out["likelihoods"][name], expected["likelihoods"][name])
    assert loaded.compress(x) == trained_codec.compress(x)


def test_a_file_trained_on_several_gpus_loads(trained_codec, tmp_path):
    path = tmp_path / "file.pth.tar"
    torch.save(under(trained_codec.state_dict(), "module"), path)
    assert same(zoo.codec_from_zoo(path, (16, 24)), trained_codec)


def test_a_full_file_loads_from_the_cache_and_from_a_folder(full_state, cache, monkeypatch):
    path = saved(full_state, cache, monkeypatch)
    loaded = zoo.pretrained_codec("compressai", 1, (128, 192))
    assert all(torch.equal(loaded.state_dict()[name], full_state[name]) for name in full_state)
    monkeypatch.setenv("MIEN_CACHE", str(cache / "nothing"))
    again = zoo.pretrained_codec(str(path.parent), 1, (128, 192))
    assert same(again, loaded)


def test_the_addresses_are_the_installed_packages():
    for quality in range(1, 9):
        name = zoo.zoo_url(quality).rsplit("/", 1)[-1]
        assert re.fullmatch(rf"mbt2018-mean-{quality}-[0-9a-f]{{8}}\.pth\.tar", name)
    assert zoo.zoo_url(1).endswith("mbt2018-mean-1-e522738d.pth.tar")
    assert zoo.zoo_url(8).endswith("mbt2018-mean-8-8089ae3e.pth.tar")


def test_a_changed_file_is_refused_by_the_hash_in_its_name(cache, monkeypatch):
    path = saved({}, cache, monkeypatch)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CheckpointError, match=rf"{path.name}: .*as its name says: delete it"):
        zoo.pretrained_codec("compressai", 1, (128, 192))
    with pytest.raises(CheckpointError, match=rf"{path.name}: .*as its name says: replace it"):
        zoo.pretrained_codec(str(cache), 1, (128, 192))


def test_a_file_that_cannot_be_had_is_named_with_its_place(cache, monkeypatch):
    path = saved({}, cache, monkeypatch)
    path.unlink()
    with pytest.raises(CheckpointError) as caught:
        zoo.pretrained_codec("compressai", 1, (128, 192))
    assert str(caught.value).startswith(f"{path}: no such file, and http://127.0.0.1:9/")
    assert "put it there" in str(caught.value)
    assert not path.exists()


def broken(state, how):
    name = "entropy_bottleneck.matrices.2"
    match how:
        case "missing":
            return {n: t for n, t in state.items() if n != name}
        case "unknown":
            return {**state, "g_a.9.weight": torch.zeros(3)}
        case "shape":
            return {**state, name: torch.zeros(16, 3, 4)}
        case "architecture":
            return {**new_codec((8, 12)).state_dict()}
        case "checkpoint":
            return {"epoch": 3, "state_dict": dict(state)}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", r"`entropy_bottleneck\.matrices\.2` is missing"),
        ("unknown", r"`g_a\.9\.weight` is unknown"),
        (
            "shape",
            r"`entropy_bottleneck\.matrices\.2` has shape \[16, 3, 4\], not \[16, 3, 3\]",
        ),
        ("architecture", r"not mbt2018-mean with N, M = \[16, 24\].* \(and \d+ more\)"),
        ("checkpoint", r"no state dict"),
    ],
)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_file_of_something_else_is_one_clear_error(
    trained_codec, how, said, generation, tmp_path
):
    state = broken(trained_codec.state_dict(), how)
    path = tmp_path / "file.pth.tar"
    if how == "unknown":
        state = named_as(state, generation)
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=rf"file\.pth\.tar: .*{said}") as caught:
        zoo.codec_from_zoo(path, (16, 24))
    assert "\n" not in str(caught.value)


def test_the_zoo_has_one_width_for_each_quality(cache, monkeypatch):
    with pytest.raises(CheckpointError, match=r"set codec\.channels to null"):
        zoo.pretrained_codec("compressai", 1, (32, 48))
    path = saved({}, cache, monkeypatch)
    with pytest.raises(CheckpointError, match=r"set codec\.channels to null"):
        zoo.pretrained_codec(str(path.parent), 1, (32, 48))


def test_a_folder_of_ours_loads_and_another_width_is_refused(trained_codec, tmp_path):
    path = tmp_path / "codec-q2.safetensors"
    save_tensors(path, under(trained_codec.state_dict(), "codec"), {"channels": [16, 24]})
    assert same(zoo.pretrained_codec(str(tmp_path), 2, (16, 24)), trained_codec)
    with pytest.raises(CheckpointError, match=r"codec\.channels asks for"):
        zoo.pretrained_codec(str(tmp_path), 2, (32, 48))


def test_a_folder_without_the_quality_says_which_files_would_do(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        zoo.pretrained_codec(str(tmp_path), 3, (16, 24))
    for part in (str(tmp_path), "codec-q3.safetensors", "mbt2018-mean-3-723404a8.pth.tar"):
        assert part in str(caught.value)


def same(one, other):
    return fingerprint(one.state_dict()) == fingerprint(other.state_dict())
