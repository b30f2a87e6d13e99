"""A few seeds' numbers, as a statistician would tell them: intervals, interquartile means, exact tests of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuronsim.basics.arrays import Floats

# Student's t at 97.5 %, for 2 to 8 degrees of freedom (3 to 9 seeds); Fisher and Yates (1938).
_STUDENT = dict(enumerate((4.3026527, 3.1824463, 2.7764451, 2.5705818, 2.4469119, 2.3646243, 2.3060041), start=2))
_RESAMPLES = 9_999
_EXACT = 16  # up to so many pairs all 2ⁿ signs are tried
_SIGNS = 100_000
_IQM_FROM, _BOOTSTRAP_FROM = 8, 10


@dataclass(frozen=True)
class Summary:
    """What the values of one group are like.

    Attributes
    ----------
    n, n_without : int
        How many runs have a value, and how many have none: they diverged, or failed.
    mean, deviation, median, best : float or None
        Deviation with n − 1; None where there are too few.
    interval : pair of float or None
        95 % of the mean: Student's below 10 values, a bootstrap's from there on; None below 3.
    iqm : float or None
        The mean of the middle half, from 8 values on.
    """

    n: int
    n_without: int
    mean: float | None
    deviation: float | None
    median: float | None
    best: float | None
    interval: tuple[float, float] | None
    iqm: float | None


def summarise(values: Sequence[float | None], higher_is_better: bool) -> Summary:
    """The summary of a group; None and what is not finite count as runs without a value."""
    there = np.array([v for v in values if v is not None and np.isfinite(v)], np.float64)
    n, without = len(there), len(values) - len(there)
    if not n:
        return Summary(0, without, None, None, None, None, None, None)
    return Summary(
        n,
        without,
        float(there.mean()),
        float(there.std(ddof=1)) if n > 1 else None,
        float(np.median(there)),
        float(there.max() if higher_is_better else there.min()),
        interval(there),
        iqm(there) if n >= _IQM_FROM else None,
    )


def interval(values: Floats) -> tuple[float, float] | None:
    """95 % of the mean; None below 3 values."""
    n = len(values)
    if n < 3:
        return None
    if n < _BOOTSTRAP_FROM:
        half = _STUDENT[n - 1] * float(values.std(ddof=1)) / np.sqrt(n)
        return float(values.mean() - half), float(values.mean() + half)
    drawn = np.random.default_rng(0).integers(n, size=(_RESAMPLES, n))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def iqm(values: Floats) -> float:
    """The mean of the values without the lowest and the highest quarter, rounded down."""
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())


def sign_flip(differences: Floats) -> float:
    """Two-sided p of paired differences: how often random signs give as large a sum; exact up to 16 pairs."""
    n = len(differences)
    if n <= _EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        added = 0
    else:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_SIGNS, n))
        added = 1  # the signs as they are
    sums = np.abs(signs @ differences)
    observed = abs(float(differences.sum()))
    n_as_large = int(np.count_nonzero(sums >= observed * (1 - 1e-12)))
    return (n_as_large + added) / (len(signs) + added)


def least_p(n: int) -> float:
    """The p that no test of so many pairs can go below: 5 seeds, 0.0625."""
    return 2.0 / 2.0**n if n <= _EXACT else 1.0 / (_SIGNS + 1)


def holm(p: Sequence[float]) -> list[float]:
    """P adjusted for several tests, by Holm (1979)."""
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, k in enumerate(sorted(range(len(p)), key=lambda k: p[k])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[k]))
        adjusted[k] = largest
    return adjusted
