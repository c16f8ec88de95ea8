"""The difference between two pools, with an interval and a test.

Two claims, two ways to resample. `difference` and `permutation_p_value` are about these same tokens in new random
sequences. `difference_by_token` is about tokens like these: its interval says how much the difference would move with
another sample of tokens of the same two kinds.
"""

import math
import warnings

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import permutation_test, ttest_ind

from harness.measure._resampling import N_RESAMPLES, percentile_ends, resampled_means, totals_by_token
from harness.measure.intervals import CONFIDENCE, Interval, Method, wilson

N_PERMUTATIONS = 9_999


def difference(a: Float[np.ndarray, " sample_a"], b: Float[np.ndarray, " sample_b"]) -> Interval:
    """Mean of `a` minus mean of `b` with Welch's t interval; `n` is the smaller sample's size.

    No interval where either holds a single value. Raises `ValueError` for an empty sample.
    """
    if min(len(a), len(b)) == 0:
        raise ValueError("a difference of means needs values on both sides")
    a, b = a.astype(np.float64), b.astype(np.float64)
    mean, n = float(a.mean() - b.mean()), min(len(a), len(b))
    if n == 1:
        return Interval(mean, None, None, 1, Method.NONE)
    with warnings.catch_warnings():
        # scipy warns of a side whose values are all the same, which is no fault here.
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = ttest_ind(a, b, equal_var=False).confidence_interval(CONFIDENCE)
    return Interval(mean, float(low), float(high), n, Method.WELCH_T)


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


def difference_by_token(
    values_a: Float[np.ndarray, " item_a"],
    tokens_a: Int[np.ndarray, " item_a"],
    values_b: Float[np.ndarray, " item_b"],
    tokens_b: Int[np.ndarray, " item_b"],
    seed: int,
    n_resamples: int = N_RESAMPLES,
) -> Interval:
    """Mean over items of `a` minus that of `b`, with an interval that resamples the tokens of both.

    `n` is the smaller number of distinct tokens; no interval where one side has a single token.
    """
    sums_a, counts_a = totals_by_token(values_a, tokens_a)
    sums_b, counts_b = totals_by_token(values_b, tokens_b)
    mean = float(sums_a.sum() / counts_a.sum() - sums_b.sum() / counts_b.sum())
    n = min(len(sums_a), len(sums_b))
    if n == 1:
        return Interval(mean, None, None, 1, Method.NONE)
    rng = np.random.default_rng(seed)
    means_a = resampled_means(values_a, tokens_a, rng, n_resamples)
    means_b = resampled_means(values_b, tokens_b, rng, n_resamples)
    low, high = percentile_ends(means_a - means_b, CONFIDENCE)
    return Interval(mean, low, high, n, Method.BOOTSTRAP_BY_TOKEN)
