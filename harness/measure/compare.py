"""The difference between two pools, with an interval and a test.

`permutation_p_value` is about these same tokens in new random sequences; for a claim about kinds of tokens see
`crossed.py`.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy.stats import permutation_test

from harness.measure.intervals import Interval, Method, wilson

N_PERMUTATIONS = 9_999


def proportion_difference(a: Interval, b: Interval) -> Interval:
    """Difference of two proportions from their Wilson intervals (Newcombe 1998, method 10).

    Unlike Welch's interval it does not shrink to a point where every sequence of one pool is right and none of the
    other's. No interval where either side has none.
    """
    mean, n = a.mean - b.mean, min(a.n, b.n)
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Interval(mean, None, None, n, Method.NONE)
    low = mean - math.hypot(a.mean - a.low, b.high - b.mean)
    high = mean + math.hypot(a.high - a.mean, b.mean - b.low)
    return Interval(mean, low, high, n, Method.NEWCOMBE)


def paired_difference(both: int, only_a: int, only_b: int, neither: int) -> Interval:
    """Share of items with `a` minus share with `b`, both asked of the same items (Newcombe 1998, paired, method 10).

    Counts of items with both, with `a` alone, `b` alone, and neither. phi is corrected for
    continuity. Raises `ValueError` for no items.
    """
    n = both + only_a + only_b + neither
    if n < 1 or min(both, only_a, only_b, neither) < 0:
        raise ValueError(f"paired counts {both}, {only_a}, {only_b}, {neither}")
    a, b = wilson(both + only_a, n), wilson(both + only_b, n)
    mean = a.mean - b.mean
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Interval(mean, None, None, n, Method.NONE)
    down_a, up_a, down_b, up_b = a.mean - a.low, a.high - a.mean, b.mean - b.low, b.high - b.mean
    phi = _paired_phi(both, only_a, only_b, neither)
    # Never below 0 but for rounding: |phi| is at most 1.
    low = math.sqrt(max(0.0, down_a**2 - 2 * phi * down_a * up_b + up_b**2))
    high = math.sqrt(max(0.0, up_a**2 - 2 * phi * up_a * down_b + down_b**2))
    return Interval(mean, mean - low, mean + high, n, Method.NEWCOMBE_PAIRED)


def _paired_phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    n = both + only_a + only_b + neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    product = both * neither - only_a * only_b
    return (max(product - n / 2, 0.0) if product > 0 else float(product)) / math.sqrt(margins)


def least_p_value(n_permutations: int = N_PERMUTATIONS) -> float:
    """The lowest p-value that so many random relabellings can give: the true one may be lower."""
    return 1 / (n_permutations + 1)


def permutation_p_value(
    a: Float[np.ndarray, " sample_a"],
    b: Float[np.ndarray, " sample_b"],
    seed: int,
    n_permutations: int = N_PERMUTATIONS,
) -> float | None:
    """Two-sided p-value for equal means: how often relabelled sequences differ as much as these do.

    The statistic is Welch's t, which keeps the test honest where the pools differ in spread but not in mean. Exact
    where there are at most `n_permutations` ways to relabel, else at least 1 / (n_permutations + 1). None where either
    side holds a single value.
    """
    if min(len(a), len(b)) < 2:
        return None
    found = permutation_test(
        (a.astype(np.float64), b.astype(np.float64)),
        _welch_statistic,
        permutation_type="independent",
        vectorized=True,
        n_resamples=n_permutations,
        batch=max(1, 2_000_000 // (len(a) + len(b))),
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _welch_statistic(a: Float[np.ndarray, "..."], b: Float[np.ndarray, "..."], axis: int) -> Float[np.ndarray, "..."]:
    """|t|; 0 where all values of both sides are the same."""
    variance = a.var(axis=axis, ddof=1) / a.shape[axis] + b.var(axis=axis, ddof=1) / b.shape[axis]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(a.mean(axis=axis) - b.mean(axis=axis)) / np.sqrt(variance)
    # With two constant sides t is infinite, or huge by rounding errors. Rounded, so that relabellings which give the
    # same split are equal whatever the order of summation.
    return np.asarray(np.round(np.minimum(np.nan_to_num(t), 1e6), 9))
