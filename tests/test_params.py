import re

import pytest
import yaml

from mien.errors import ParamsError
from mien.params import LAMBDAS, load_params
from mien.runs import CONTROLS, classic_runs


def written(tmp_path, tree):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def tree(request):
    return yaml.safe_load((request.config.rootpath / "tests/toy.yaml").read_text())


@pytest.mark.parametrize(
    "preset",
    [
        "params.yaml",
        "affectnet",
        "diffusionfer",
        "demo-weights",
        "drawn",
        "faces-start",
        "faces",
    ],
)
def test_every_committed_params_file_loads(preset, request):
    name = preset if preset.endswith(".yaml") else f"presets/{preset}.yaml"
    assert load_params(request.config.rootpath / name).codec.qualities


def test_the_paper_preset_holds_what_the_paper_states(request):
    params = load_params(request.config.rootpath / "presets/affectnet.yaml")
    assert params.shards.image_size == 256
    assert params.codec.qualities == (1, 2, 3, 4, 5, 6, 7, 8)
    assert params.finetune.batch_size == 16
    assert params.finetune.epochs == 30
    assert params.finetune.lr == params.finetune.aux_lr == params.finetune.classifier_lr == 3e-5
    assert params.finetune.weight_decay == 1e-2
    assert params.finetune.clip_norm == 0.1
    assert params.classifier.dropout == 0.1
    assert params.finetune.images_per_epoch is None
    assert params.strategies[:2] == ("compression-only", "joint")  # the others are controls
    assert set(params.strategies[2:]) == set(CONTROLS)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "fast"])
def test_the_test_set_is_coded_in_any_precision(tree, tmp_path, precision):
    tree["evaluate"]["precision"] = precision
    assert load_params(written(tmp_path, tree)).evaluate.precision == precision


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("finetune", "lerning_rate", 1.0, "finetune.lerning_rate: unknown key"),
        ("finetune", "lr", "1e-4", "finetune.lr: '1e-4' is text in YAML"),
        ("finetune", "epochs", 2.5, "finetune.epochs: .*2.5"),
        ("finetune", "epochs", 0, "finetune.epochs: .*0"),
        ("finetune", "epochs", {1: 2}, r"finetune\.epochs of qualities \[1\], codec.qualities"),
        ("finetune", "epochs", {1: 2, 3: 0}, r"finetune\.epochs\.3: .*0"),
        ("finetune", "lr", {3: 1e-4}, r"finetune\.lr of qualities \[3\], codec.qualities"),
        ("finetune", "classifier_lr", {1: 1e-4, 3: 0.0}, r"finetune\.classifier_lr\.3: .*0"),
        ("finetune", "rate_warm_up", 1, "finetune: rate_warm_up 1: must be below epochs and"),
        ("finetune", "rate_warm_up", -1, "finetune.rate_warm_up: .*-1"),
        ("shards", "image_size", 100, "shards.image_size: must be a positive multiple of 64"),
        ("classifier", "width", 12, "classifier.width: must be a positive multiple of 8"),
        ("codec", "qualities", [3, 1], "codec.qualities: must be ascending"),
        ("codec", "qualities", [9], "codec.qualities.0: .*9"),
        ("codec", "lambdas", {1: 0.001}, r"codec: lambdas of \[1\], qualities \[1, 3\]"),
        ("codec", "lambdas", {1: 0.2, 3: 0.1}, r"codec: lambdas \[0.2, 0.1\]: must rise"),
        ("codec", "lambdas", {1: 0.0, 3: 0.1}, r"codec.lambdas.1: .*0"),
        ("sweep", "quality", 2, "sweep.quality 2 is not one of codec.qualities"),
        ("sweep", "ce", [-1.0], "sweep.ce.0: .*-1.0"),
        ("repeat", "qualities", [2], "repeat.qualities 2 is not one of codec.qualities"),
        ("repeat", "seeds", [0], r"repeat.seeds \[0\]: 0 is finetune.seed"),
        ("loss", "ce", None, "loss.ce: .*None"),
        ("loss", "ce", -1.0, r"loss\.ce: .*-1\.0"),
        ("loss", "bpp", {1: 2.0}, r"loss\.bpp of qualities \[1\], codec.qualities \[1, 3\]"),
        ("loss", "bpp", {1: 2.0, 2: 1.0, 3: 1.0}, r"loss\.bpp of qualities \[1, 2, 3\]"),
        ("loss", "mse", {1: 2.0, 3: -1.0}, r"loss\.mse\.3: .*-1\.0"),
        ("loss", "mse", {1: "2e0", 3: 1.0}, r"loss\.mse\.1: '2e0' is text in YAML"),
        ("evaluate", "precision", "float16", "evaluate.precision: .*'bfloat16' or 'fast'"),
        ("compute", "precision", "fast", "compute.precision: .*'float32' or 'bfloat16'"),
        ("classic", "gif", [30], r"classic\.gif.*: Input should be 'jpeg', .*not 'gif'"),
        ("classic", "jpeg", [30, 10], "classic.jpeg: must be ascending"),
        ("classic", "jpeg", [101], "classic.jpeg.0: .*101"),
        ("classic", "jpeg", 30, "classic.jpeg: .*30"),
    ],
)
def test_bad_value_is_refused_by_key_in_one_line(tree, tmp_path, section, key, value, says):
    tree[section][key] = value
    path = written(tmp_path, tree)
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert re.search(says, message)
    assert "\n" not in message


def test_a_weight_is_one_number_or_one_for_each_quality(tree, tmp_path):
    assert load_params(written(tmp_path, tree)).loss.at(3).bpp == tree["loss"]["bpp"]
    tree["loss"] |= {"bpp": {1: 20, 3: 2.5}, "ce": {1: 0.0, 3: 0.5}}
    loss = load_params(written(tmp_path, tree)).loss
    assert [(loss.at(q).bpp, loss.at(q).mse, loss.at(q).ce) for q in (1, 3)] == [
        (20.0, tree["loss"]["mse"], 0.0),
        (2.5, tree["loss"]["mse"], 0.5),
    ]


def test_epochs_and_rates_are_one_number_or_one_for_each_quality(tree, tmp_path):
    assert load_params(written(tmp_path, tree)).finetune.at(3, seed=5).epochs == 1
    tree["finetune"] |= {"epochs": {1: 2, 3: 6}, "patience": 9, "rate_warm_up": 1.5}
    tree["finetune"] |= {"lr": {1: 1e-4, 3: 4e-4}, "classifier_lr": {1: 2e-4, 3: 3e-4}}
    section = load_params(written(tmp_path, tree)).finetune
    low, high = section.at(1, seed=5), section.at(3, seed=5)
    assert (low.epochs, low.lr, low.classifier_lr, low.seed) == (2, 1e-4, 2e-4, 5)
    assert (high.epochs, high.lr, high.classifier_lr, high.seed) == (6, 4e-4, 3e-4, 5)
    assert high.rate_warm_up == 1.5
    tree["finetune"]["rate_warm_up"] = 2  # fits the longer one alone
    with pytest.raises(
        ParamsError, match="rate_warm_up 2: must be below epochs and patience, 2"
    ):
        load_params(written(tmp_path, tree))


def test_lambdas_are_the_zoo_s_or_one_for_each_quality_trained_here(tree, tmp_path):
    assert list(LAMBDAS) == list(range(1, 9))
    assert sorted(LAMBDAS.values()) == list(LAMBDAS.values())
    assert load_params(written(tmp_path, tree)).codec.lambda_of(3) == 0.0067
    tree["codec"]["lambdas"] = {1: 1e-4, 3: 4e-4}
    assert load_params(written(tmp_path, tree)).codec.lambda_of(3) == 4e-4
    tree["codec"]["weights"] = "compressai"
    with pytest.raises(ParamsError, match="codec: lambdas with weights compressai"):
        load_params(written(tmp_path, tree))


@pytest.mark.parametrize("none", [None, {}, {"jpeg": []}])
def test_no_classic_codec_need_be_run(tree, tmp_path, none):
    tree["classic"] = none
    assert not classic_runs(load_params(written(tmp_path, tree)))


def test_a_misspelt_key_is_named_before_the_one_it_leaves_missing(tree, tmp_path):
    tree["finetune"]["epochz"] = tree["finetune"].pop("epochs")
    with pytest.raises(ParamsError, match=r"finetune\.epochz: unknown key.*\(and 1 more\)"):
        load_params(written(tmp_path, tree))


def test_missing_key_is_refused_by_name(tree, tmp_path):
    del tree["finetune"]["clip_norm"]
    with pytest.raises(ParamsError, match=r"finetune\.clip_norm: missing key"):
        load_params(written(tmp_path, tree))


@pytest.mark.parametrize(("text", "says"), [("a: [", "not YAML"), ("", "has no sections")])
def test_what_is_no_params_file_is_refused(tmp_path, text, says):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=says):
        load_params(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ParamsError, match="no such file"):
        load_params(tmp_path / "params.yaml")
