"""What is run: every strategy at every setting of params.yaml, and their stable names."""

from __future__ import annotations

from dataclasses import dataclass

from mien.errors import ParamsError
from mien.params import LossWeights, Params

PRETRAINED = "pretrained"  # the baseline: nobody is trained
JOINT = "joint"  # codec and classifier are trained together


@dataclass(frozen=True)
class Setting:
    """A quality to start from and the loss weights to train with.

    `name` is `q3` at the reference weights of section `loss`, whatever they are, so that two
    versions of one setting keep one name; `q3-ce0.1` has that one weight changed.
    """

    name: str
    quality: int
    weights: LossWeights


@dataclass(frozen=True)
class Run:
    """A strategy at a setting; its files are in `results/<strategy>/<setting>/`."""

    strategy: str
    setting: str


def settings(params: Params) -> list[Setting]:
    """Return every setting that is trained: the rate points first, then the sweeps."""
    return reference_settings(params) + [
        swept
        for weight in ("bpp", "mse", "ce")
        for swept in sweep_settings(params, weight)
        if swept.weights != params.loss
    ]


def reference_settings(params: Params) -> list[Setting]:
    """Return one setting per quality, all at the reference weights: the rate points."""
    return [Setting(f"q{quality}", quality, params.loss) for quality in params.codec.qualities]


def sweep_settings(params: Params, weight: str) -> list[Setting]:
    """Return one weight's sweep by ascending value, the reference among them (Fig. 3).

    Args:
        weight: `bpp`, `mse` or `ce`.
    """
    reference = getattr(params.loss, weight)
    values = sorted({*getattr(params.sweep, weight), reference})
    quality = params.sweep.quality
    return [
        Setting(
            f"q{quality}" if value == reference else f"q{quality}-{weight}{value:g}",
            quality,
            params.loss.model_copy(update={weight: value}),
        )
        for value in values
    ]


def setting_named(params: Params, name: str) -> Setting:
    """Return the setting with this name.

    Raises:
        ParamsError: If params.yaml does not ask for it.
    """
    known = {setting.name: setting for setting in settings(params)}
    if name not in known:
        raise ParamsError(
            f"setting {name!r} is not in params.yaml, which has {', '.join(known)}"
        )
    return known[name]


def trained_runs(params: Params) -> list[Run]:
    """Return every run that a training makes."""
    return [
        Run(strategy, setting.name)
        for strategy in params.strategies
        for setting in settings(params)
    ]


def baseline_runs(params: Params) -> list[Run]:
    """Return the baseline: each quality's pretrained codec, the pretrained classifier."""
    return [Run(PRETRAINED, setting.name) for setting in reference_settings(params)]


def all_runs(params: Params) -> list[Run]:
    """Return every run whose streams are evaluated."""
    return baseline_runs(params) + trained_runs(params)
