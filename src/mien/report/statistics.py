"""The record between `summarise` and everything shown: results/statistics.json.

A number in a table, a figure or the page comes from here and from nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.files import write_json
from mien.params import Loss, LossWeights
from mien.runs import CONTROLS, PRETRAINED, Run

DECIMALS = 6  # of every float in the file: beyond them the machine shows, not the data
MOST_ABSENT = 0.05  # share of resamples without a value that a claim may rest on


class Record(BaseModel):
    """A part of statistics.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Record):
    """A quantity with its 95 % paired-bootstrap interval over test images.

    `value` is None exactly when `reason` says why. `absent` is the share of resamples without
    a value; the interval is that of the others, and None when there are none.
    """

    value: float | None
    low: float | None
    high: float | None
    absent: float
    reason: str | None

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign is established: 0 is outside, and nearly every resample counted."""
        if self.low is None or self.high is None or self.absent > MOST_ABSENT:
            return False
        return self.low > 0 or self.high < 0


class Measured(Estimate):
    """An estimate that is never absent: every resample has an accuracy."""

    value: float
    low: float
    high: float


class Bounded(Estimate):
    """An estimate that may lie beyond what was measured.

    Then it has no value but a bound, `above` or `below` which it lies, beside the reason. An
    end of its interval is None where more than 2.5 % of the resamples lie beyond on that side.
    """

    above: float | None = None
    below: float | None = None


class Dataset(Record):
    """The test set."""

    name: str
    n: int  # images
    image_size: int  # pixels, of the coded square picture
    counts: dict[str, int]  # images per expression, absent ones with 0

    @property
    def absent(self) -> list[str]:
        """The expressions without a test image."""
        return [expression for expression in EXPRESSIONS if self.counts[expression] == 0]


class Provenance(Record):
    """What made the numbers, and how many."""

    commit: str
    finetune_start: Literal["pretrained", "higher"]
    finetune_seed: int
    resamples: int
    bootstrap_seed: int


class Recognition(Record):
    """What a run's classifier makes of the test images, decoded or raw.

    The calibration errors are in percent: `ece` of softmax(logits / temperature), None without
    a temperature, and `ece_uncalibrated` of softmax(logits).
    """

    macro_f1: Measured  # percent
    uar: Measured  # percent, unweighted average recall
    ece: float | None
    ece_uncalibrated: float
    recall: dict[str, Estimate]  # per expression, percent
    f1: dict[str, Estimate]  # per expression, percent
    confusion: list[list[int]]  # images; row: label, column: prediction


class RunStatistics(Record):
    """One run on the test set."""

    quality: int  # 1..8 of a learned codec; a classic one has its library's scale
    weights: LossWeights | None  # None: not trained here (`pretrained`, classic codecs)
    library: str | None = None  # of a classic codec, with its version
    bpp: float  # bit/pixel, stored bytes
    estimated_bpp: float | None  # bit/pixel, by the likelihoods; None: there are none
    n_bytes: float  # mean per image
    psnr: float | None  # dB, mean; None if a picture came back identical (infinite)
    ms_ssim: float | None  # mean; None if the pictures are too small for it
    accuracy: Measured  # percent, on decoded images
    raw_accuracy: Measured  # percent, same classifier on raw images
    change: Measured  # percentage points, decoded minus raw
    temperature: float | None  # logits are divided by it; None: never calibrated
    decoded: Recognition
    raw: Recognition  # same classifier on raw images


class Shared(Record):
    """What a strategy's curve and the baseline's share of one axis."""

    fraction: float  # of the range both cover together, 0..1
    baseline_points: int
    points: int
    low: float | None  # of the shared range, bit/pixel or percent; None: there is none
    high: float | None


class Delta(Record):
    """A delta by one method, or the reason why there is none."""

    value: float | None
    reason: str | None


class Pair(Record):
    """Both deltas by one method."""

    bd_accuracy: Delta  # percentage points
    bd_rate: Delta  # percent


class Bjontegaard(Record):
    """A strategy against the baseline over the rate points."""

    bd_accuracy: Bounded  # percentage points
    bd_rate: Bounded  # percent
    rate_overlap: Shared  # what BD-Accuracy averages over
    accuracy_overlap: Shared  # what BD-Rate averages over
    on_envelope: dict[str, Pair]  # per method; `pchip` holds the primary figures
    as_measured: dict[str, Pair]  # per method, on the points as they are


class Targets(Record):
    """One strategy's curve at fixed rates and fixed accuracies."""

    accuracy: dict[str, Bounded]  # percent, by rate in bit/pixel
    rate: dict[str, Bounded]  # bit/pixel; for the raw images' accuracy, and one point less


class Attribution(Record):
    """What the joint gain is made of, over the rates that all curves cover."""

    low: float | None  # bit/pixel; None: they cover none
    high: float | None
    parts: dict[str, Estimate]  # percentage points


class Bin(Record):
    """Test images that a classifier was about equally sure of."""

    n: int
    confidence: float | None  # mean, percent; None: no image
    accuracy: float | None  # percent


class Reliability(Record):
    """Bins of equal width by confidence, in ascending order."""

    uncalibrated: list[Bin]
    calibrated: list[Bin] | None  # None: without a temperature


class Repeated(Record):
    """One quantity of a strategy over trainings with several seeds; their mean.

    Accuracy in percent on decoded images, its gain over the pretrained codec and classifier at
    the same rate point in percentage points, BD-Accuracy in points and BD-Rate in percent.
    """

    setting: str | None  # the rate point; None: over all of them
    quantity: Literal["accuracy", "gain", "bd_accuracy", "bd_rate"]
    seeds: list[int]  # that of all other numbers first
    over_images: Estimate  # how it would move with other images: paired bootstrap
    over_seeds: Estimate  # how it would move with other trainings: Student's t
    deviation: float | None  # standard deviation between seeds


class SweepPoint(Record):
    """One setting of a sweep."""

    setting: str
    value: float  # of the weight that is swept


class Statistics(Record):
    """All of statistics.json."""

    schema_version: Literal[3] = 3
    dataset: Dataset
    provenance: Provenance
    strategies: list[str]  # the baseline first; classic codecs are not among them
    classic: list[str] = []  # classic codecs that have runs
    missing: dict[
        str, str
    ] = {}  # classic codec not run for want of its library: what brings it
    reference: list[str]  # settings of the rate points, by ascending quality
    weights: Loss  # the reference weights
    sweep_quality: int
    sweeps: dict[str, list[SweepPoint]]  # per weight, by ascending value
    runs: dict[str, dict[str, RunStatistics]]  # strategy, setting
    bjontegaard: dict[str, Bjontegaard]  # strategy
    targets: dict[str, Targets]  # strategy
    attribution: Attribution
    repeated: dict[str, list[Repeated]] = {}  # strategy; without those trained once
    reliability: dict[str, dict[str, Reliability]]  # strategy, `decoded` or `raw`; at `middle`

    @property
    def middle(self) -> str:
        """The setting in the middle of the rate points."""
        return middle_of(self.reference)

    @property
    def trained(self) -> list[str]:
        """The strategies that train something."""
        return [strategy for strategy in self.strategies if strategy != PRETRAINED]

    @property
    def shown(self) -> list[str]:
        """What has rate points: the strategies, the baseline first, then the classic codecs."""
        return [*self.strategies, *self.classic]

    @property
    def compared(self) -> list[str]:
        """What has deltas: the strategies that train something, then the classic codecs."""
        return [*self.trained, *(codec for codec in self.classic if codec in self.bjontegaard)]

    def rate_points(self, strategy: str) -> list[str]:
        """Return the settings on the curve of a strategy, or of a classic codec."""
        if strategy not in self.classic:
            return self.reference
        return sorted(self.runs[strategy], key=lambda name: self.runs[strategy][name].quality)

    @property
    def swept(self) -> list[str]:
        """The strategies that are trained at other loss weights too: all but the controls."""
        points = [point.setting for sweep in self.sweeps.values() for point in sweep]
        return [
            strategy
            for strategy in self.trained
            if strategy not in CONTROLS and set(points) <= set(self.runs[strategy])
        ]


def write_statistics(path: Path, statistics: Statistics) -> None:
    """Write statistics.json, every float rounded to `DECIMALS`."""
    write_json(path, rounded(statistics.model_dump(), DECIMALS))


def read_statistics(path: Path, runs: list[Run]) -> Statistics:
    """Read statistics.json and check that it is about the runs that are asked for.

    Those of a codec whose library was missing are not expected.

    Raises:
        DataError: If it is missing, is not such a file, or has other runs.
    """
    again = f"run `mien summarise` (`snakemake {path}`)"
    if not path.is_file():
        raise DataError(f"{path}: no such file: {again}")
    try:
        statistics = Statistics.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise DataError(f"{path}: {key}: {problem['msg']}: delete it and {again}") from None
    written = {
        Run(strategy, setting)
        for strategy, settings in statistics.runs.items()
        for setting in settings
    }
    asked = {run for run in runs if run.strategy not in statistics.missing}
    if odd := sorted(written ^ asked, key=str):
        first = f"{odd[0].strategy}/{odd[0].setting}"
        state = "has" if odd[0] in written else "lacks"
        raise DataError(f"{path}: {state} the run {first}, unlike params.yaml: {again}")
    return statistics


def middle_of(reference: list[str]) -> str:
    """Return the middle rate point, the upper one of two."""
    return reference[len(reference) // 2]


def rounded(value: Any, decimals: int) -> Any:
    """Return a copy of a JSON value with every float rounded."""
    if isinstance(value, dict):
        return {key: rounded(item, decimals) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, decimals) for item in value]
    return round(value, decimals) + 0.0 if isinstance(value, float) else value  # no -0.0
