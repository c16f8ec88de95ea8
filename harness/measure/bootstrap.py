"""Means, differences of means and ratios with percentile bootstrap intervals over independent units (tokens)."""

import numpy as np
from jaxtyping import Float
from scipy.stats import bootstrap

from harness.measure.intervals import CONFIDENCE, Interval, Method

N_RESAMPLES = 4_000


def bootstrap_mean(values: Float[np.ndarray, " sample"], seed: int) -> Interval:
    """Mean of independent values; no ends for a single one. Raises `ValueError` for no values.

    Where all are equal the interval is a point: a share needs Wilson's (`harness.measure.intervals.wilson`).
    """
    if len(values) == 0:
        raise ValueError("a mean needs at least one value")
    mean = float(values.mean(dtype=np.float64))
    if len(values) == 1:
        return Interval(mean, None, None, 1, Method.NONE)
    low, high = _ends((values,), _mean, seed)
    return Interval(mean, low, high, len(values), Method.BOOTSTRAP)


def bootstrap_difference(a: Float[np.ndarray, " sample_a"], b: Float[np.ndarray, " sample_b"], seed: int) -> Interval:
    """Mean of `a` minus mean of `b`, each resampled by itself; no ends where either has a single value.

    Raises `ValueError` where either has none.
    """
    if not len(a) or not len(b):
        raise ValueError("a difference needs at least one value on either side")
    mean, n = float(a.mean(dtype=np.float64) - b.mean(dtype=np.float64)), min(len(a), len(b))
    if n == 1:
        return Interval(mean, None, None, n, Method.NONE)
    low, high = _ends((a, b), _difference, seed)
    return Interval(mean, low, high, n, Method.BOOTSTRAP)


def bootstrap_ratio(
    numerator: Float[np.ndarray, " sample"], denominator: Float[np.ndarray, " sample"], seed: int
) -> Interval:
    """Sum of `numerator` over sum of `denominator`, both of the same units, which are resampled together; no ends for
    a single one.

    Ends mean something only where the denominator's sum is surely not 0. Raises `ValueError` for no values
    and for a sum of 0.
    """
    if len(numerator) == 0:
        raise ValueError("a ratio needs at least one value")
    total = float(denominator.sum(dtype=np.float64))
    if total == 0:
        raise ValueError("a ratio to 0")
    mean, n = float(numerator.sum(dtype=np.float64)) / total, len(numerator)
    if n == 1:
        return Interval(mean, None, None, n, Method.NONE)
    low, high = _ends((numerator, denominator), _ratio, seed, paired=True)
    return Interval(mean, low, high, n, Method.BOOTSTRAP)


def _ends(samples: tuple[np.ndarray, ...], statistic: object, seed: int, paired: bool = False) -> tuple[float, float]:
    found = bootstrap(
        tuple(sample.astype(np.float64) for sample in samples), statistic, n_resamples=N_RESAMPLES, batch=500,
        vectorized=True, paired=paired, confidence_level=CONFIDENCE, method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(values.mean(axis=axis))


def _difference(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(a.mean(axis=axis) - b.mean(axis=axis))


def _ratio(numerator: np.ndarray, denominator: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(numerator.sum(axis=axis) / denominator.sum(axis=axis))
