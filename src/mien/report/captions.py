"""What every table shows, in words, and what captions of figures share with it.

A caption names the data set, the number of images, the seeds and the commit, so that a table
cut out of its report still says what it rests on.
"""

from __future__ import annotations

from mien.params import Loss
from mien.report.published import DIFFERENCES, published_points
from mien.report.statistics import Statistics
from mien.runs import CLASSIFIER_DECODED, CLASSIFIER_RAW, CODEC_RD, JOINT, PRETRAINED

STRATEGY_NAMES = {
    PRETRAINED: "pretrained (baseline)",
    "compression-only": "compression-only",
    JOINT: "joint",
    CODEC_RD: "codec, rate and MSE alone",
    CLASSIFIER_RAW: "classifier on raw images",
    CLASSIFIER_DECODED: "classifier on decoded images",
    "jpeg": "JPEG",
    "jpeg-optimised": "JPEG, optimised",
    "webp": "WebP",
    "avif": "AVIF",
    "jxl": "JPEG XL",
    "heic": "HEIC",
}
WEIGHT_NAMES = {"bpp": "rate weight w_bpp", "ce": "CE weight w_ce", "mse": "MSE weight w_mse"}
SWEEPS = {"fig3a": "bpp", "fig3b": "ce", "fig3c": "mse"}  # the paper's order

TITLES = {
    "table1": "Table 1",
    "table2": "Table 2",
    "attribution": "Parts of the joint gain",
    "targets": "Fixed rates and accuracies",
    "classes": "Recall per expression",
    "expressions": "Recall and F1 per expression",
    "methods": "Other interpolations",
    "seeds": "Other trainings",
    "runs": "All runs",
    "recognition": "Recognition and calibration",
}

PART_NAMES = {  # of attribution.PARTS
    "joint": "all of it",
    "codec": "the codec",
    "codec-rd": "the codec: further training for rate and MSE",
    "codec-ce": "the codec: training to be read",
    "classifier": "the classifier",
    "classifier-raw": "the classifier: further training on raw images",
    "classifier-decoded": "the classifier: training on decoded images",
    "adaptation": "their adaptation to each other",
    "beyond-codec": "joint, beyond training the codec alone",
    "beyond-classifier": "joint, beyond training the classifier alone, on decoded images",
}
QUANTITY_NAMES = {  # of statistics.Repeated
    "accuracy": "accuracy, decoded [%]",
    "gain": "gain over pretrained [points]",
    "bd_accuracy": "BD-Accuracy [points]",
    "bd_rate": "BD-Rate [%]",
}
RATE_NAMES = {"raw": "Rate for raw accuracy", "raw-1": "Rate for raw − 1 point"}

_DELTAS = (
    "BD-Accuracy is the mean difference in accuracy at equal log rate, BD-Rate the mean "
    "difference in rate at equal accuracy, both against the pretrained codec with the "
    "pretrained classifier."
)


def weights_in_words(loss: Loss) -> str:
    """Return the reference weights, such as `bpp 1, CE 0.5, MSE 1`."""
    shown = {"bpp": loss.bpp, "CE": loss.ce, "MSE": loss.mse}
    return ", ".join(f"{name} {_weight(weight)}" for name, weight in shown.items())


def _weight(weight: float | dict[int, float]) -> str:
    if not isinstance(weight, dict):
        return f"{weight:g}"
    qualities = "/".join(f"q{quality}" for quality in weight)
    return f"{'/'.join(f'{value:g}' for value in weight.values())} ({qualities})"


def strategy_name(strategy: str) -> str:
    """Return what a strategy is called where there is room; one without a name is its own."""
    return STRATEGY_NAMES.get(strategy, strategy)


def caption(name: str, statistics: Statistics) -> str:
    """Return the caption of a table, its source included.

    Args:
        name: A key of `TITLES`.
        statistics: What it shows.
    """
    return f"{_subject(name, statistics)} {source(statistics)}"


def source(statistics: Statistics) -> str:
    """Return data set, number of images, seeds and commit, and what they do not allow."""
    dataset, made = statistics.dataset, statistics.provenance
    absent = f" (none of {', '.join(dataset.absent)})" if dataset.absent else ""
    chained = (
        ", each below the highest rate point from where its strategy's next higher one ended"
    )
    start = chained if made.finetune_start == "higher" else ""
    others = ", other seeds where named" if statistics.repeated else ""
    text = (
        f"On {dataset.name}, n = {dataset.n:,} test images{absent}, one training per run "
        f"(seed {made.finetune_seed}){start}{others}, commit {made.commit}."
    )
    if comparable(statistics):
        return text
    return f"{text} Not comparable with the paper's numbers, which are on AffectNet."


def comparable(statistics: Statistics) -> bool:
    """Whether the numbers are on the paper's data set."""
    return statistics.dataset.name.casefold() == "affectnet"


def intervals(statistics: Statistics) -> str:
    """Return how the intervals were made."""
    made = statistics.provenance
    return (
        f"95 % paired-bootstrap interval over test images ({made.resamples:,} resamples, "
        f"seed {made.bootstrap_seed})"
    )


def classic_codecs(statistics: Statistics) -> str:
    """Return which library coded each classic codec, and which could not be run and why."""
    run = [
        f"{STRATEGY_NAMES[codec]}: {next(iter(statistics.runs[codec].values())).library}"
        for codec in statistics.classic
    ]
    missing = [
        f"{STRATEGY_NAMES[codec]}: not run, its library is not installed ({command})"
        for codec, command in statistics.missing.items()
    ]
    return "; ".join([*run, *missing])


def table2_strategy(statistics: Statistics) -> str:
    """Return the strategy that Table 2 lists: `joint`, or the last one trained without it."""
    return JOINT if JOINT in statistics.trained else statistics.trained[-1]


def _subject(name: str, statistics: Statistics) -> str:
    brackets = f"Brackets: {intervals(statistics)}; bold: it excludes zero."
    classic = classic_codecs(statistics)
    libraries = f" Classic codecs, by complete files and the library's own quality: {classic}."
    return {
        "table1": (
            f"{_DELTAS} PCHIP on the non-decreasing envelope of the rate points. {brackets} "
            "Overlap: the share of both curves' range in which they are compared, and the "
            "measured points in it (baseline + strategy). Without overlap, < or > bounds the "
            f"difference where the curves come nearest. {DIFFERENCES}"
        ),
        "table2": (
            f"Accuracy of the {table2_strategy(statistics)} models on decoded test images, of "
            f"the same classifier on the raw ones, and the difference. {brackets}"
            f"{_published_points(statistics)}"
        ),
        "attribution": (
            "What the gain of joint over pretrained is made of: differences of mean accuracy "
            f"{_common_rates(statistics)}. Codec, classifier and adaptation add up to all of "
            f"it; adaptation is what neither training gives alone. The last two rows compare "
            f"joint with one training alone. {brackets}"
        ),
        "targets": (
            "The PCHIP curve on the non-decreasing envelope of the rate points, read at fixed "
            "rates (bit/pixel) and at two fixed accuracies: that of the pretrained classifier "
            "on raw images, and one point less. < and >: beyond the measured rates, with the "
            f"bound that the last one gives. Brackets: {intervals(statistics)}; … is an end "
            "beyond the measured rates."
        ),
        "classes": (
            f"Recall per expression on decoded test images at {statistics.middle}, the middle "
            f"rate point. Brackets: {intervals(statistics)}."
        ),
        "expressions": (
            f"Recall and F1 per expression at {statistics.middle}, the middle rate point, on "
            "decoded test images and by the same classifier on the raw ones. Brackets: "
            f"{intervals(statistics)}."
        ),
        "methods": (
            f"{_DELTAS} By interpolation, on the non-decreasing envelope of the rate points "
            "and on the points as measured; Table 1 is PCHIP on the envelope."
        ),
        "seeds": _seeds(statistics),
        "runs": (
            "Every run on the test set: rate from the stored bytes and by the likelihood "
            "estimate, what the run's classifier recognises on decoded and on raw images, and "
            f"the distortion. {brackets}{libraries if classic else ''}"
        ),
        "recognition": (
            "Every run on decoded test images, and its classifier on the raw ones. Macro F1 "
            "and unweighted average recall (UAR) are means over the expressions present. "
            "Expected calibration error (ECE, 15 bins of equal width) with logits divided by "
            "the temperature, which was fitted on val to the pictures the classifier was "
            f"trained on, and before that. Brackets: {intervals(statistics)}."
        ),
    }[name]


def _seeds(statistics: Statistics) -> str:
    if not statistics.repeated:
        return (
            "No setting was trained more than once, so nothing here says how far another "
            "training would move the numbers. Section repeat of params.yaml asks for more."
        )
    chained = (
        " A training goes on from the one of the next higher rate point with its seed; where "
        "that rate point has the first seed alone, from that one."
    )
    start = chained if statistics.provenance.finetune_start == "higher" else ""
    return (
        "The same settings trained with several seeds; the first seed is that of all other "
        "tables. The mean over these trainings, in brackets first the "
        f"{intervals(statistics)}, then the 95 % t interval over the seeds on these test "
        "images. A gain is over the pretrained codec and classifier of the same rate point, "
        "whose rate differs; deltas where every rate point has the same seeds."
        f"{start}"
    )


def _published_points(statistics: Statistics) -> str:
    return f" {DIFFERENCES}" if published_points(table2_strategy(statistics)) else ""


def _common_rates(statistics: Statistics) -> str:
    found = statistics.attribution
    if found.low is None or found.high is None:
        return "over the rates that all curves cover, of which there are none"
    return (
        f"over log rate from {found.low:.3f} to {found.high:.3f} bit/pixel, which all curves "
        "cover"
    )


def shown_rates(statistics: Statistics) -> list[str]:
    """Return the settings of low, medium and high rate, fewer if there are fewer."""
    reference = statistics.reference
    return list(dict.fromkeys([reference[0], statistics.middle, reference[-1]]))
