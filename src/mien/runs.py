"""What is run: every strategy at every setting of params.yaml, and their stable names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

from mien.errors import ParamsError
from mien.params import ClassicCodec, LossWeights, Params, Sweep, Training

PRETRAINED = "pretrained"  # the baseline: nobody is trained
COMPRESSION_ONLY = "compression-only"  # the codec, to be read by a frozen classifier
JOINT = "joint"  # codec and classifier are trained together
CODEC_RD = "codec-rd"  # control: the codec for rate and MSE alone
CLASSIFIER_RAW = "classifier-raw"  # control: the classifier alone, on raw pictures
CLASSIFIER_DECODED = "classifier-decoded"  # control: the same on what the frozen codec decodes

CONTROLS = (CODEC_RD, CLASSIFIER_RAW, CLASSIFIER_DECODED)
TRAINS_CODEC = (COMPRESSION_ONLY, JOINT, CODEC_RD)
TRAINS_CLASSIFIER = (JOINT, CLASSIFIER_RAW, CLASSIFIER_DECODED)
CLASSIC: tuple[str, ...] = get_args(ClassicCodec)  # nobody is trained, no networks are run
ALL = "all"  # the one training of `classifier-raw`, which no codec has a part in
SETTING = r"q[1-8](-seed[0-9]+|-(bpp|mse|ce)[0-9.e+-]+)?"  # what names of settings look like
_SEED = "-seed"  # in the name of a setting, before a seed other than finetune.seed


@dataclass(frozen=True)
class Setting:
    """A quality to start from and the loss weights to train with.

    `name` is `q3` at the reference weights of section `loss`, whatever they are, so that two
    versions of one setting keep one name; `q3-ce0.1` has that one weight changed, `q3-seed1`
    the seed of its training.
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
    """Return every setting that is trained: the rate points first, sweeps, other seeds."""
    swept = _swept(params.loss.at(params.sweep.quality), params.sweep)
    return reference_settings(params) + swept + repeated_settings(params)


@lru_cache(maxsize=8)  # every job of a long sweep asks for all of them
def _swept(loss: LossWeights, sweep: Sweep) -> list[Setting]:
    """Return what the sweeps add to the reference."""
    return [
        swept
        for weight in ("bpp", "mse", "ce")
        for swept in _sweep(loss, sweep, weight)
        if swept.weights != loss
    ]


def reference_settings(params: Params) -> list[Setting]:
    """Return one setting per quality, at its reference weights: the rate points."""
    return [
        Setting(f"q{quality}", quality, params.loss.at(quality))
        for quality in params.codec.qualities
    ]


def sweep_settings(params: Params, weight: str) -> list[Setting]:
    """Return one weight's sweep by ascending value, the reference among them (Fig. 3).

    Args:
        weight: `bpp`, `mse` or `ce`.
    """
    return _sweep(params.loss.at(params.sweep.quality), params.sweep, weight)


def _sweep(loss: LossWeights, sweep: Sweep, weight: str) -> list[Setting]:
    reference = getattr(loss, weight)
    values = sorted({*getattr(sweep, weight), reference})
    quality = sweep.quality
    return [
        Setting(
            f"q{quality}" if value == reference else f"q{quality}-{weight}{value:g}",
            quality,
            loss.model_copy(update={weight: value}),
        )
        for value in values
    ]


def repeated_settings(params: Params) -> list[Setting]:
    """Return the settings of section `repeat`: rate points trained with other seeds."""
    return [
        Setting(f"q{quality}{_SEED}{seed}", quality, params.loss.at(quality))
        for quality in params.repeat.qualities
        for seed in params.repeat.seeds
    ]


def rate_point_of(setting: str) -> str:
    """Return the rate point that a setting is of: q3 of q3-seed1."""
    return setting.partition("-")[0]


def start_of(params: Params, run: Run) -> Run:
    """Return the run whose codec and classifier a training starts from.

    The baseline at its own quality; or, with `finetune.start: higher`, the run of its own
    strategy at the next quality above, where one has a codec of the same shape: with the same
    seed if that quality is repeated too, else the reference run.
    """
    own = rate_point_of(run.setting)
    if own == ALL or params.finetune.start == "pretrained":
        return Run(PRETRAINED, own)
    quality = int(own.removeprefix("q"))
    above = [higher for higher in sorted(params.codec.qualities) if higher > quality]
    shape = params.codec.channels_of
    if not above or shape(above[0]) != shape(quality):
        return Run(PRETRAINED, own)
    seed = run.setting.partition(_SEED)[2]
    same = f"{_SEED}{seed}" if seed and above[0] in params.repeat.qualities else ""
    return Run(run.strategy, f"q{above[0]}{same}")


def for_any_codec(setting: str) -> str:
    """Return the setting of a training that no codec has a part in: all-seed1 for q3-seed1."""
    return ALL + setting.removeprefix(rate_point_of(setting))


def finetune_section(params: Params, run: Run) -> Training:
    """Return section `finetune` as a run is trained with it.

    A training that no codec has a part in is as long as that of the highest quality, which
    like it starts from the pretrained models.
    """
    own = rate_point_of(run.setting)
    quality = max(params.codec.qualities) if own == ALL else int(own.removeprefix("q"))
    return params.finetune.at(quality, seed_of(params, run.setting))


def seed_of(params: Params, setting: str) -> int:
    """Return the seed that a setting is trained with: 1 of q3-seed1."""
    return int(setting.partition(_SEED)[2] or params.finetune.seed)


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
    """Return every run that has a trained part; controls at the reference weights alone."""
    unswept = reference_settings(params) + repeated_settings(params)
    return [
        Run(strategy, setting.name)
        for strategy in params.strategies
        for setting in (unswept if strategy in CONTROLS else settings(params))
    ]


def loss_weights(params: Params, run: Run) -> LossWeights:
    """Return the weights that the codec of a run is trained with."""
    weights = setting_named(params, run.setting).weights
    return weights.model_copy(update={"ce": 0.0}) if run.strategy == CODEC_RD else weights


def run_config(params: Params, run: Run) -> dict[str, Any]:
    """Return the values that one training depends on."""
    trains_codec = run.strategy in TRAINS_CODEC
    start = start_of(params, run)
    compute = {"max_skipped"} | ({"precision", "compile"} if trains_codec else set())
    return {
        "strategy": run.strategy,
        "weights": loss_weights(params, run).model_dump() if trains_codec else None,
        "lambda": _lambda_of(params, run) if trains_codec else None,
        "start": start.strategy if start.strategy == PRETRAINED else start.setting,
        "finetune": finetune_section(params, run).model_dump(mode="json"),
        "classifier": params.classifier.model_dump(mode="json"),
        "compute": params.compute.model_dump(mode="json", include=compute),
        "evaluate": params.evaluate.batch_size,
    }


def _lambda_of(params: Params, run: Run) -> float:
    return params.codec.lambda_of(setting_named(params, run.setting).quality)


def baseline_runs(params: Params) -> list[Run]:
    """Return the baseline: each quality's pretrained codec, the pretrained classifier."""
    return [Run(PRETRAINED, setting.name) for setting in reference_settings(params)]


def classic_runs(params: Params) -> list[Run]:
    """Return each classic codec at each of its qualities: `jpeg` at `q30`.

    In an order of their own: that of the keys in params.yaml changes nothing.
    """
    return [
        Run(codec, f"q{quality}")
        for codec in sorted(params.classic, key=CLASSIC.index)
        for quality in params.classic[codec]
    ]


def classic_codecs(params: Params) -> list[str]:
    """Return the classic codecs that have a run."""
    return list(dict.fromkeys(run.strategy for run in classic_runs(params)))


def classic_quality(params: Params, run: Run) -> int:
    """Return the quality, 1..100, that a classic codec's library is asked for.

    Raises:
        ParamsError: If params.yaml does not ask for it.
    """
    known = [other.setting for other in classic_runs(params) if other.strategy == run.strategy]
    if run.setting not in known:
        raise ParamsError(
            f"classic.{run.strategy}: setting {run.setting!r} is not in params.yaml, which has "
            f"{', '.join(known) or 'none'}"
        )
    return int(run.setting.removeprefix("q"))


def all_runs(params: Params) -> list[Run]:
    """Return every run whose decoded pictures are evaluated."""
    return baseline_runs(params) + trained_runs(params) + classic_runs(params)
