"""Means of values that share tokens one way and sequences the other: what they say of tokens of that kind.

A token occurs in several sequences and a sequence holds several tokens, so neither tokens nor sequences are independent
observations. The variance of a mean is clustered both ways (Cameron, Gelbach & Miller 2011, equation 2.11): that of
clusters by token, plus that of clusters by sequence, minus that of their crossings.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtr

from harness.measure.intervals import Interval, Method, score_interval, t_quantile


@dataclass(frozen=True)
class Crossed:
    """Values with the token and the sequence that each belongs to."""

    values: Float[np.ndarray, " item"]
    """NaN: nothing was measured there; such items are left out."""
    tokens: Int[np.ndarray, " item"]
    """Items of tokens that a model can't tell apart carry the same number."""
    sequences: Int[np.ndarray, " item"]
    """Items of sequences that share their tokens carry the same number."""


@dataclass(frozen=True)
class CrossedMean:
    """A mean, the variance of that mean and its degrees of freedom."""

    mean: float
    variance: float | None
    """None with a single token or a single sequence: nothing shows how much others would differ."""
    df: int
    """Tokens or sequences, whichever are fewer, minus one."""
    n_tokens: int
    n_sequences: int
    n_items: int


def crossed_mean(found: Crossed) -> CrossedMean | None:
    """The mean over items with its variance over tokens and over sequences; None where no item has a value."""
    known = ~np.isnan(found.values)
    if not known.any():
        return None
    values = found.values[known].astype(np.float64)
    tokens, sequences = (np.unique(ids[known], return_inverse=True)[1] for ids in (found.tokens, found.sequences))
    n_tokens, n_sequences = int(tokens.max()) + 1, int(sequences.max()) + 1
    mean = float(values.mean())
    fewest = min(n_tokens, n_sequences)
    variance = None
    if fewest > 1:
        residuals = values - mean
        by_token, by_sequence, by_both = (
            _clustered(residuals, clusters) for clusters in (tokens, sequences, tokens * n_sequences + sequences)
        )
        # The difference can fall below either part by chance, and below 0: neither is a smaller uncertainty.
        variance = max(by_token + by_sequence - by_both, by_token, by_sequence)
    return CrossedMean(mean, variance, fewest - 1, n_tokens, n_sequences, len(values))


def crossed_interval(found: Crossed, is_share: bool = False) -> Interval | None:
    """The mean with its 95 % interval for tokens of that kind in other sequences; `n` counts tokens.

    Student t; for a share Wilson's score interval with as many independent trials as give that variance, and one trial
    a token (or sequence, if fewer) where all are 0 or all 1. None where no item has a value.
    """
    about = crossed_mean(found)
    if about is None:
        return None
    if about.variance is None:
        return Interval(about.mean, None, None, about.n_tokens, Method.NONE)
    if is_share:
        low, high = score_interval(about.mean, _independent_trials(about), t_quantile(about.df))
        return Interval(about.mean, low, high, about.n_tokens, Method.WILSON_CROSSED)
    half_width = t_quantile(about.df) * math.sqrt(about.variance)
    return Interval(about.mean, about.mean - half_width, about.mean + half_width, about.n_tokens, Method.CROSSED_T)


def crossed_difference(a: Crossed, b: Crossed) -> tuple[Interval, float | None] | None:
    """Mean of `a` minus mean of `b` with its interval, and the two-sided p-value of no difference.

    For two kinds of tokens that were measured in sequences of their own: variances add, degrees of freedom are
    Welch's. No interval and no p-value where either side has a single token or sequence; no p-value where nothing
    varies on both sides. None where either side has no value.
    """
    first, second = crossed_mean(a), crossed_mean(b)
    if first is None or second is None:
        return None
    mean, n = first.mean - second.mean, min(first.n_tokens, second.n_tokens)
    if first.variance is None or second.variance is None:
        return Interval(mean, None, None, n, Method.NONE), None
    variance = first.variance + second.variance
    if variance == 0:
        return Interval(mean, mean, mean, n, Method.CROSSED_T), None
    df = variance**2 / (first.variance**2 / first.df + second.variance**2 / second.df)
    error = math.sqrt(variance)
    half_width = t_quantile(df) * error
    p_value = float(2 * stdtr(df, -abs(mean) / error))
    return Interval(mean, mean - half_width, mean + half_width, n, Method.CROSSED_T), p_value


def _clustered(residuals: Float[np.ndarray, " item"], clusters: Int[np.ndarray, " item"]) -> float:
    """Variance of the mean over items where the items of one cluster move together."""
    _, clusters = np.unique(clusters, return_inverse=True)
    sums = np.bincount(clusters, weights=residuals)
    n = len(sums)
    return float((sums**2).sum() / len(residuals) ** 2 * n / (n - 1)) if n > 1 else 0.0


def _independent_trials(about: CrossedMean) -> float:
    assert about.variance is not None
    if about.mean in (0.0, 1.0) or about.variance == 0:
        return float(about.df + 1)
    return min(about.mean * (1 - about.mean) / about.variance, float(about.n_items))
