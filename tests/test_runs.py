import pytest

from mien.errors import ParamsError
from mien.runs import all_runs, setting_named, settings, sweep_settings, trained_runs


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
    assert weights == toy_params.loss.model_copy(update={"ce": 0.5})


def test_names_are_unique_and_strategies_share_settings(toy_params):
    runs = all_runs(toy_params)
    assert len(set(runs)) == len(runs) == 2 + 2 * 3
    assert {r.setting for r in trained_runs(toy_params) if r.strategy == "joint"} == {
        s.name for s in settings(toy_params)
    }


def test_an_unknown_setting_is_refused(toy_params):
    with pytest.raises(ParamsError, match=r"'q2' is not in params.yaml, which has q1, q3"):
        setting_named(toy_params, "q2")
