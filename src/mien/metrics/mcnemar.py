"""McNemar's test: whether two classifiers that answered the same images differ in accuracy.

Only the images that one of them alone recognised, the discordant ones, tell them apart: were
both equally good, each of those would be a toss of a coin (McNemar 1947,
doi:10.1007/BF02295996).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray
from scipy.stats import binomtest, chi2

FEW = 25  # discordant images; below it the chi-squared distribution is too coarse


@dataclass(frozen=True)
class McNemar:
    """The outcome of one test, two-sided."""

    first_alone: int  # images that the first alone recognised
    second_alone: int
    p_value: float  # 1 without a discordant image
    method: Literal["exact binomial", "chi-squared with continuity correction"]


def mcnemar(first: NDArray[Any], second: NDArray[Any]) -> McNemar:
    """Test two classifiers on the same images.

    With fewer than 25 discordant images the p-value is the exact binomial one. From there on it
    is that of `(|b - c| - 1)^2 / (b + c)` (Edwards 1948) on one degree of freedom, b and c the
    images that one alone recognised.

    Args:
        first: Whether the first recognised each image, [n].
        second: The same of the second, in the same order.

    Raises:
        ValueError: If there are no images, or not as many of one as of the other.
    """
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"answers to {first.size} and to {second.size} images")
    right, right_too = first.astype(bool), second.astype(bool)
    b, c = int((right & ~right_too).sum()), int((~right & right_too).sum())
    if b + c < FEW:
        p = float(binomtest(b, b + c).pvalue) if b + c else 1.0
        return McNemar(b, c, p, "exact binomial")
    statistic = max(0, abs(b - c) - 1) ** 2 / (b + c)
    p = float(chi2.sf(statistic, df=1))
    return McNemar(b, c, p, "chi-squared with continuity correction")
