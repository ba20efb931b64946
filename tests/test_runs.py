from pathlib import Path

import pytest

from mien import paths, workflow
from mien.errors import ParamsError
from mien.runs import (
    CLASSIC,
    Run,
    all_runs,
    classic_runs,
    finetune_section,
    run_config,
    setting_named,
    settings,
    start_of,
    sweep_settings,
    trained_runs,
)

CHECKPOINT = "checkpoint.safetensors"


def test_settings_are_named_by_quality_and_the_one_changed_weight(toy_params):
    assert [s.name for s in settings(toy_params)] == ["q1", "q3", "q3-ce0.5"]


def test_a_sweep_contains_the_reference_in_its_place(toy_params):
    assert [s.name for s in sweep_settings(toy_params, "ce")] == ["q3", "q3-ce0.5"]
    assert [s.name for s in sweep_settings(toy_params, "bpp")] == ["q3"]


def test_the_reference_value_in_a_sweep_is_not_trained_twice(toy_params):
    sweep = toy_params.sweep.model_copy(update={"ce": (0.05, 0.5)})
    twice = toy_params.model_copy(update={"sweep": sweep})
    assert [s.name for s in settings(twice)] == [s.name for s in settings(toy_params)]


def test_only_the_named_weight_differs_from_the_reference(toy_params):
    weights = setting_named(toy_params, "q3-ce0.5").weights
    assert weights == toy_params.loss.at(3).model_copy(update={"ce": 0.5})


def test_a_weight_may_differ_from_quality_to_quality(toy_params):
    loss = toy_params.loss.model_copy(update={"bpp": {1: 20.0, 3: 5.0}})
    sweep = toy_params.sweep.model_copy(update={"bpp": (5.0, 10.0), "quality": 3})
    params = toy_params.model_copy(update={"loss": loss, "sweep": sweep})
    of = {setting.name: setting.weights for setting in settings(params)}
    assert {name: weights.bpp for name, weights in of.items()} == {
        "q1": 20.0,
        "q3": 5.0,
        "q3-bpp10": 10.0,
        "q3-ce0.5": 5.0,
    }
    assert of["q1"].ce == of["q3"].ce == toy_params.loss.ce
    repeat = toy_params.repeat.model_copy(update={"qualities": (1,), "seeds": (7,)})
    again = setting_named(params.model_copy(update={"repeat": repeat}), "q1-seed7")
    assert again.weights == of["q1"]


def test_a_weight_of_one_quality_changes_the_runs_of_that_quality(toy_params):
    def config(bpp, setting):
        loss = toy_params.loss.model_copy(update={"bpp": bpp})
        return run_config(toy_params.model_copy(update={"loss": loss}), Run("joint", setting))

    both, one = {1: 1.0, 3: 1.0}, {1: 2.0, 3: 1.0}
    assert config(both, "q1") == config(1.0, "q1") != config(one, "q1")
    assert config(both, "q3") == config(one, "q3")


def test_names_are_unique_and_strategies_share_settings(toy_params):
    runs = all_runs(toy_params)
    assert len(set(runs)) == len(runs) == 2 + 2 * 3 + 2 + 5
    assert {r.setting for r in trained_runs(toy_params) if r.strategy == "joint"} == {
        s.name for s in settings(toy_params)
    }


def test_classic_codecs_are_runs_at_their_own_qualities(toy_params):
    assert [(run.strategy, run.setting) for run in classic_runs(toy_params)] == [
        ("jpeg", "q10"),
        ("jpeg", "q50"),
        ("jpeg-optimised", "q50"),
        ("heic", "q5"),
        ("heic", "q30"),
    ]
    assert all_runs(toy_params)[-5:] == classic_runs(toy_params)
    assert not {run.strategy for run in trained_runs(toy_params)} & set(CLASSIC)


def test_controls_are_not_swept(toy_params):
    controls = [r.setting for r in trained_runs(toy_params) if r.strategy == "classifier-raw"]
    assert controls == ["q1", "q3"]


def test_what_a_training_depends_on_is_what_it_uses(toy_params):
    def changed(run, **sections):
        other = toy_params.model_copy(
            update={
                name: getattr(toy_params, name).model_copy(update=keys)
                for name, keys in sections.items()
            }
        )
        return run_config(other, run) != run_config(toy_params, run)

    codec, raw = Run("codec-rd", "q3"), Run("classifier-raw", "all")
    assert changed(codec, loss={"mse": 2.0})
    assert not changed(codec, loss={"ce": 2.0})
    assert changed(Run("joint", "q3"), loss={"ce": 2.0})
    assert changed(codec, codec={"lambdas": {1: 1e-4, 3: 4e-4}})
    assert not changed(raw, codec={"lambdas": {1: 1e-4, 3: 4e-4}})
    assert not changed(raw, loss={"mse": 2.0, "ce": 2.0})
    assert changed(codec, compute={"precision": "bfloat16"})
    assert not changed(raw, compute={"precision": "bfloat16"})
    assert changed(raw, finetune={"classifier_lr": 1.0})
    assert not changed(codec, compute={"save_seconds": 1.0})


def test_an_unknown_setting_is_refused(toy_params):
    with pytest.raises(ParamsError, match=r"'q2' is not in params.yaml, which has q1, q3"):
        setting_named(toy_params, "q2")


@pytest.fixture
def repeated(toy_params):
    repeat = toy_params.repeat.model_copy(update={"qualities": (3,), "seeds": (1, 2)})
    return toy_params.model_copy(update={"repeat": repeat})


def test_a_repeated_rate_point_differs_in_its_seed_alone(toy_params, repeated):
    again = setting_named(repeated, "q3-seed1")
    assert (again.quality, again.weights) == (3, toy_params.loss.at(3))
    for strategy in ("joint", "codec-rd", "classifier-decoded"):
        once, more = (run_config(repeated, Run(strategy, name)) for name in ("q3", "q3-seed1"))
        assert (once["finetune"]["seed"], more["finetune"]["seed"]) == (0, 1)
        once["finetune"]["seed"] = 1
        assert once == more


def test_every_strategy_is_repeated_and_nothing_else_changes(toy_params, repeated):
    added = set(all_runs(repeated)) - set(all_runs(toy_params))
    assert added == {
        Run(strategy, f"q3-seed{seed}")
        for strategy in ("compression-only", "joint", "classifier-raw")
        for seed in (1, 2)
    }


def test_a_repeat_has_files_of_its_own_and_the_pretrained_codec_of_its_rate_point():
    raw = Run("classifier-raw", "q3-seed1")
    assert paths.checkpoint(raw) == Path("results/classifier-raw/all-seed1") / CHECKPOINT
    assert paths.codec_of(raw) == paths.codec(3)
    assert paths.streams(raw) == paths.streams(Run("pretrained", "q3"))
    assert paths.checkpoint(Run("joint", "q3-seed1")).parent.name == "q3-seed1"


def test_a_training_reads_its_quality_s_pretrained_codec_and_the_classifier(repeated):
    for setting in ("q3", "q3-seed1", "q3-ce0.5"):
        assert workflow.read_by_finetune(repeated, "joint", setting) == [
            "models/classifier.json",
            "models/codec/q3.json",
        ]
    assert workflow.read_by_finetune(repeated, "classifier-raw", "all-seed1") == [
        "models/classifier.json"
    ]


@pytest.fixture
def chained(repeated):
    finetune = repeated.finetune.model_copy(update={"start": "higher"})
    codec = repeated.codec.model_copy(update={"qualities": (1, 3, 6)})
    return repeated.model_copy(update={"finetune": finetune, "codec": codec})


def test_a_run_may_start_from_its_strategy_s_next_higher_quality(chained):
    for strategy in ("joint", "compression-only", "classifier-decoded"):
        assert start_of(chained, Run(strategy, "q1")) == Run(strategy, "q3")
        for setting in ("q3", "q3-seed1", "q3-ce0.5"):
            assert start_of(chained, Run(strategy, setting)) == Run(strategy, "q6")
        assert start_of(chained, Run(strategy, "q6")) == Run("pretrained", "q6")
    assert start_of(chained, Run("classifier-raw", "all")) == Run("pretrained", "all")


def test_seeds_of_neighbouring_qualities_make_a_chain_of_their_own(chained):
    repeat = chained.repeat.model_copy(update={"qualities": (1, 3)})
    both = chained.model_copy(update={"repeat": repeat})
    assert start_of(both, Run("joint", "q1-seed2")) == Run("joint", "q3-seed2")
    assert start_of(both, Run("joint", "q3-seed2")) == Run("joint", "q6")
    assert start_of(both, Run("joint", "q1")) == Run("joint", "q3")


def test_it_starts_from_the_baseline_where_the_higher_codec_has_another_shape(chained):
    codec = chained.codec.model_copy(update={"channels": None})
    zoo = chained.model_copy(update={"codec": codec})
    assert start_of(zoo, Run("joint", "q1")) == Run("joint", "q3")
    assert start_of(zoo, Run("joint", "q3")) == Run("pretrained", "q3")


def test_what_a_training_reads_is_what_it_starts_from(chained):
    def models(strategy, setting):
        return workflow.read_by_finetune(chained, strategy, setting)

    assert models("joint", "q1") == ["results/joint/q3/checkpoint.json"]
    assert models("compression-only", "q1") == [
        "models/classifier.json",
        "results/compression-only/q3/checkpoint.json",
    ]
    assert models("classifier-decoded", "q1") == [
        "results/classifier-decoded/q3/checkpoint.json",
        "models/codec/q1.json",
    ]
    assert models("classifier-raw", "all") == ["models/classifier.json"]


def test_a_training_is_as_long_as_its_quality_asks(chained):
    finetune = chained.finetune.model_copy(update={"epochs": {1: 1, 3: 2, 6: 5}})
    longer = chained.model_copy(update={"finetune": finetune})

    def section(setting, strategy="joint"):
        return finetune_section(longer, Run(strategy, setting))

    assert [section(q).epochs for q in ("q1", "q3", "q6")] == [1, 2, 5]
    assert section("q3-ce0.5").epochs == 2
    assert (section("q3-seed1").epochs, section("q3-seed1").seed) == (2, 1)
    assert section("all", "classifier-raw").epochs == 5  # no codec's; starts like the highest
    assert run_config(longer, Run("joint", "q3"))["finetune"] == section("q3").model_dump(
        mode="json"
    )


def test_where_a_run_starts_is_part_of_what_it_depends_on(repeated, chained):
    assert run_config(repeated, Run("joint", "q1"))["start"] == "pretrained"
    assert run_config(chained, Run("joint", "q1"))["start"] == "q3"
    assert run_config(chained, Run("joint", "q6"))["start"] == "pretrained"
