"""What the numbers show, in sentences, and in so many words where they show nothing.

A sentence claims a direction only if the interval excludes zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from mien.report.cells import MINUS
from mien.report.statistics import (
    MOST_ABSENT,
    Bounded,
    Estimate,
    RunStatistics,
    Shared,
    Statistics,
)

NAMED_SHARES = {
    1 / 10: "the tenth",
    1 / 5: "the fifth",
    1 / 4: "the quarter",
    1 / 3: "the third",
    1 / 2: "the half",
    2 / 3: "the two thirds",
    3 / 4: "the three quarters",
}
NEAR = 0.015  # to a named share
WHOLE = 0.995


@dataclass(frozen=True)
class _Words:
    """How a difference from the baseline is put."""

    verb: str
    more: str
    less: str
    where: str
    unit: str
    decimals: int

    def amount(self, value: float) -> str:
        """Return a difference without its sign, which the words have."""
        return f"{self.size(value)} {self.unit} {self.more if value > 0 else self.less}"

    def size(self, value: float) -> str:
        """Return a number without its sign or unit."""
        return f"{abs(value):.{self.decimals}f}"


_RATE = _Words("needs", "more bits", "fewer bits", "at equal accuracy", "%", 1)
_ACCURACY = _Words("is", "more accurate", "less accurate", "at equal rate", "points", 2)


def delta_claims(statistics: Statistics) -> list[str]:
    """Return two sentences per strategy: what it saves, and what it gains."""
    claims = []
    for strategy in statistics.trained:
        found = statistics.bjontegaard[strategy]
        over = _over(found.accuracy_overlap, "accuracy", "%", 1)
        claims.append(_claim(strategy, found.bd_rate, _RATE, over))
        over = _over(found.rate_overlap, "rate", "bit/pixel", 3)
        claims.append(_claim(strategy, found.bd_accuracy, _ACCURACY, over))
    return claims


def attribution_claims(statistics: Statistics) -> list[str]:
    """Return sentences on the gain of joint, its parts, and what it has beyond two of them."""
    parts = statistics.attribution.parts
    subjects = {
        "joint": "joint gains over the baseline, at the rates that all curves cover,",
        "codec": "the codec contributes to it",
        "classifier": "the classifier contributes to it",
        "adaptation": "their adaptation to each other contributes to it",
        "beyond-codec": "joint gains beyond the codec trained alone",
        "beyond-classifier": "joint gains beyond the classifier trained alone",
    }
    return [_part(subject, parts[part]) for part, subject in subjects.items()]


def target_claims(statistics: Statistics) -> list[str]:
    """Return a sentence per strategy: the rate that is enough for the raw images' accuracy."""
    goal = "the accuracy of the pretrained classifier on raw images"
    return [
        f"{strategy} {_target(statistics.targets[strategy].rate['raw'], goal)}."
        for strategy in statistics.strategies
    ]


def decoding_claims(statistics: Statistics) -> list[str]:
    """Return a sentence per strategy: what decoding costs at the middle rate point."""
    middle = statistics.middle
    return [
        _cost(f"{strategy} at {middle}", statistics.runs[strategy][middle])
        for strategy in statistics.strategies
        if middle in statistics.runs[strategy]
    ]


def share_in_words(fraction: float) -> str:
    """Return a share of a range, `the third` or `the 41 %`."""
    if fraction > WHOLE:
        return "the whole"
    name = min(NAMED_SHARES, key=lambda share: abs(share - fraction))
    return NAMED_SHARES[name] if abs(name - fraction) < NEAR else f"the {100 * fraction:.0f} %"


def _claim(strategy: str, found: Bounded, words: _Words, over: str) -> str:
    if found.value is None:
        return _bound(strategy, found, words)
    if found.value == found.low == found.high == 0:
        which = "resample that has a value" if found.absent else "resample"
        return (
            f"{strategy} is the baseline itself {words.where}: no difference on any {which}, "
            "as when no epoch was better on val than the start."
        )
    than = f"{words.amount(found.value)} than the baseline"
    if not found.excludes_zero:
        return (
            f"Nothing is shown about {strategy} {words.where}: the estimate is {than}, but "
            f"{_why_not(found, words)}."
        )
    interval = f"95 % interval {_interval(found, words.decimals)} {words.unit}"
    return f"{strategy} {words.verb} {than} {words.where} ({interval}), {over}."


def _bound(strategy: str, found: Bounded, words: _Words) -> str:
    """Return a one-sided bound if it has a direction, else that nothing is shown, and why."""
    ends = [
        end
        for end, sign in ((found.below, -1), (found.above, 1))
        if end is not None and sign * end > 0
    ]
    if not ends:
        return f"Nothing is shown about {strategy} {words.where}: {found.reason}."
    return (
        f"{strategy} {words.verb} at least {words.amount(ends[0])} than the baseline "
        f"{words.where} where the curves come nearest, a one-sided bound without an interval; "
        f"there is no mean to give: {found.reason}."
    )


def _over(shared: Shared, quantity: str, unit: str, decimals: int) -> str:
    if shared.low is None or shared.high is None:
        return f"over no part of the {quantity} range"
    ends = f"{shared.low:.{decimals}f} to {shared.high:.{decimals}f} {unit}"
    share = share_in_words(shared.fraction)
    part = (
        f"{share} {quantity} range"
        if share == "the whole"
        else f"{share} of the {quantity} range"
    )
    return f"over {part} where both curves can be compared ({ends})"


def _why_not(found: Estimate, words: _Words) -> str:
    if found.absent > MOST_ABSENT or found.low is None or found.high is None:
        return f"{100 * found.absent:.1f} % of the resamples have no value"
    ends = f"from {words.amount(found.low)} to {words.amount(found.high)}"
    return f"its 95 % interval, {ends}, includes zero"


def _interval(found: Estimate, decimals: int) -> str:
    """Return an interval on one side of zero without signs, the smaller size first."""
    sizes = sorted(abs(end) for end in (found.low, found.high) if end is not None)
    return " to ".join(f"{size:.{decimals}f}" for size in sizes)


def _part(subject: str, found: Estimate) -> str:
    if found.value is None:
        return f"What {subject} is not known ({found.reason})."
    size = f"{_signed(found.value)} points"
    if found.low is None or found.high is None:
        return f"Nothing is shown about what {subject}: {size}, without an interval."
    interval = f"95 % interval {_signed(found.low)} to {_signed(found.high)}"
    if found.excludes_zero:
        return f"What {subject} is {size} ({interval})."
    return f"Nothing is shown about what {subject}: {size} ({interval})."


def _cost(whose: str, run: RunStatistics) -> str:
    change, rate = run.change, f"{run.bpp:.3f} bit/pixel"
    if not change.excludes_zero:
        ends = f"{_signed(change.low)} to {_signed(change.high)}"
        return (
            f"Nothing is shown about what decoding costs the classifier of {whose} ({rate}): "
            f"{_signed(change.value)} points (95 % interval {ends})."
        )
    verb = "costs" if change.value < 0 else "gains"
    return (
        f"Decoding {verb} the classifier of {whose} ({rate}) {abs(change.value):.2f} points of "
        f"accuracy (95 % interval {_interval(change, 2)})."
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)


def _target(found: Bounded, goal: str) -> str:
    if found.above is not None:
        return f"does not reach {goal}: it would need more than {found.above:.3f} bit/pixel"
    if found.below is not None:
        return f"has more than {goal} at its lowest rate already, {found.below:.3f} bit/pixel"
    if found.value is None:
        return f"cannot be compared with {goal}: {found.reason}"
    low = "below the measured rates" if found.low is None else f"{found.low:.3f}"
    high = "beyond the measured rates" if found.high is None else f"{found.high:.3f}"
    return f"needs {found.value:.3f} bit/pixel for {goal} (95 % interval {low} to {high})"
