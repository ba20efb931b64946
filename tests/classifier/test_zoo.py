import pytest
import torch
from torchvision.models import resnet18

from mien.classifier import zoo
from mien.classifier.resnet18 import Classifier, new_classifier
from mien.download import git_blob
from mien.errors import CheckpointError

IMAGENET, LIBREFACE = zoo.IMAGENET_URL, zoo.LIBREFACE_URL  # the tests never go there


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Keep away from the user's cache and from every network."""
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(zoo, "LIBREFACE_URL", "http://127.0.0.1:9/resnet.pt")  # no answer
    monkeypatch.setattr(zoo, "IMAGENET_URL", "http://127.0.0.1:9/resnet18-f37072fd.pth")
    zoo._say_once.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def section(toy_params):
    return toy_params.classifier


@pytest.fixture
def full(section):
    return section.model_copy(update={"width": 64})


def named(section, weights):
    return section.model_copy(update={"weights": str(weights)})


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Return a file in LibreFace's format and size, and its tensors."""
    torch.manual_seed(0)
    state = Classifier(64, 224, 0.1).state_dict()
    path = tmp_path_factory.mktemp("libreface") / "resnet.pt"
    torch.save({"model": state}, path)
    return path, state


@pytest.fixture
def small(section, tmp_path):
    """Return a file in LibreFace's format of the toy width, and its tensors."""
    torch.manual_seed(0)
    state = new_classifier(section).state_dict()
    path = tmp_path / "resnet.pt"
    torch.save({"model": state}, path)
    return path, state


def test_a_file_in_librefaces_format_loads_from_a_path(full, published, monkeypatch):
    path, state = published
    assert len(state) == 129
    monkeypatch.setattr(zoo, "LIBREFACE_BLOB", git_blob(path))
    loaded = zoo.pretrained_classifier(named(full, path))
    assert not loaded.training
    assert all(torch.equal(loaded.state_dict()[name], state[name]) for name in state)


def test_a_file_in_librefaces_format_loads_from_the_cache(full, published, monkeypatch, place):
    path, state = published
    monkeypatch.setattr(zoo, "LIBREFACE_BLOB", git_blob(path))
    (place / "libreface").mkdir(parents=True)
    (place / "libreface" / "resnet.pt").symlink_to(path)
    loaded = zoo.pretrained_classifier(named(full, "libreface")).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    monkeypatch.setattr(zoo, "LIBREFACE_BLOB", "0" * 40)
    with pytest.raises(CheckpointError, match=r"libreface/resnet\.pt: git blob .* delete it"):
        zoo.pretrained_classifier(named(full, "libreface"))


def test_the_licence_is_printed_once(full, published, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "LIBREFACE_BLOB", git_blob(published[0]))
    for _ in range(2):
        zoo.pretrained_classifier(named(full, published[0]))
    assert capsys.readouterr().err.count("research and non-profit") == 1


def test_a_file_with_another_hash_is_refused(full, published):
    with pytest.raises(CheckpointError) as caught:
        zoo.pretrained_classifier(named(full, published[0]))
    assert f"{published[0]}: git blob {git_blob(published[0])[:12]} is not bfcc31ba14f8" in str(
        caught.value
    )
    assert f"replace it with {zoo.LIBREFACE_URL}" in str(caught.value)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("truncated", "cut short"),
        ("no model", "no state dict at `model`"),
        ("shape", r"`classifier\.4\.weight` has shape \[7, 128\], not \[8, 128\]"),
        ("missing", r"`encoder\.0\.weight` is missing"),
        ("unknown", r"`classifier\.5\.bias` is unknown"),
    ],
)
def test_a_broken_file_is_one_clear_error(section, small, broken, said):
    path, state = small
    if broken == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    elif broken == "no model":
        torch.save(state, path)
    elif broken == "shape":
        torch.save({"model": {**state, "classifier.4.weight": torch.zeros(7, 128)}}, path)
    elif broken == "missing":
        torch.save({"model": {n: t for n, t in state.items() if n != "encoder.0.weight"}}, path)
    else:
        torch.save({"model": {**state, "classifier.5.bias": torch.zeros(8)}}, path)
    with pytest.raises(CheckpointError, match=rf"resnet\.pt: .*{said}") as caught:
        zoo.classifier_from_libreface(path, section)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_where_to_get_it(full, tmp_path):
    path = tmp_path / "resnet.pt"
    with pytest.raises(CheckpointError) as caught:
        zoo.pretrained_classifier(named(full, path))
    assert f"{path}: no such file: put {zoo.LIBREFACE_URL} there" in str(caught.value)


def test_without_a_network_the_place_in_the_cache_is_named(full, place):
    with pytest.raises(CheckpointError) as caught:
        zoo.pretrained_classifier(named(full, "libreface"))
    path = place / "libreface" / "resnet.pt"
    assert f"{path}: no such file, and {zoo.LIBREFACE_URL} could not" in str(caught.value)
    with pytest.raises(CheckpointError) as caught:
        zoo.imagenet_classifier(full)
    path = place / "torchvision" / "resnet18-f37072fd.pth"
    assert f"{path}: no such file, and {zoo.IMAGENET_URL} could not" in str(caught.value)


def test_published_weights_have_one_width(section, tmp_path):
    for weights in ("libreface", tmp_path / "resnet.pt"):
        with pytest.raises(CheckpointError, match=r"set classifier\.width to 64"):
            zoo.pretrained_classifier(named(section, weights))
    with pytest.raises(CheckpointError, match=r"set classifier\.width to 64"):
        zoo.imagenet_classifier(section)


@pytest.mark.parametrize("counters", [True, False])
def test_imagenets_encoder_computes_what_torchvisions_does(full, tmp_path, counters):
    torch.manual_seed(3)
    model = resnet18(weights=None)
    for name, buffer in model.named_buffers():  # running statistics of a trained network
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    state = model.state_dict()
    path = tmp_path / "resnet18.pth"
    kept = {n: t for n, t in state.items() if counters or not n.endswith("batches_tracked")}
    assert len(kept) == (122 if counters else 102)
    torch.save(kept, path)
    classifier = zoo.classifier_from_imagenet(path, full)
    assert classifier.training
    x = torch.randn(2, 3, 64, 64)
    model.fc = torch.nn.Identity()
    with torch.no_grad():
        features = classifier.eval().encoder(x).flatten(1)
        assert torch.equal(features, model.eval()(x))
    assert classifier.eval()(x.clamp(0, 1)).shape == (2, 8)


def test_another_torchvision_model_is_one_clear_error(full, tmp_path):
    path = tmp_path / "resnet18.pth"
    state = resnet18(weights=None).state_dict()
    torch.save({**state, "layer5.0.conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"`layer5\.0\.conv1\.weight` is unknown"):
        zoo.classifier_from_imagenet(path, full)


def test_the_addresses_are_the_published_files():
    assert IMAGENET.endswith("/resnet18-f37072fd.pth")
    assert "/ihp-lab/LibreFace/raw/" in LIBREFACE
    assert LIBREFACE.endswith("/checkpoints_fm_resnet/AffectNet/resnet.pt")
