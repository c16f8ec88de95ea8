"""Means over items that belong to tokens, resampled by token."""

import numpy as np
from jaxtyping import Float, Int

N_RESAMPLES = 4_000


def totals_by_token(
    values: Float[np.ndarray, " item"], tokens: Int[np.ndarray, " item"]
) -> tuple[Float[np.ndarray, " token"], Int[np.ndarray, " token"]]:
    """Sum and number of the items of every distinct token. Raises `ValueError` where there are no items."""
    if len(values) == 0:
        raise ValueError("a mean needs at least one value")
    _, index, counts = np.unique(tokens, return_inverse=True, return_counts=True)
    return np.bincount(index, weights=values.astype(np.float64)), counts


def resampled_means(
    values: Float[np.ndarray, " item"], tokens: Int[np.ndarray, " item"], rng: np.random.Generator, n_resamples: int
) -> Float[np.ndarray, " resample"]:
    """Means over items after drawing as many tokens as there are, with replacement."""
    sums, counts = totals_by_token(values, tokens)
    n_tokens = len(sums)
    # One resample is n_tokens indices: blocks keep a vocabulary-sized pool within tens of megabytes.
    block = max(1, 2_000_000 // n_tokens)
    means = []
    for start in range(0, n_resamples, block):
        drawn = rng.integers(0, n_tokens, size=(min(block, n_resamples - start), n_tokens))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)


def percentile_ends(means: Float[np.ndarray, " resample"], confidence: float) -> tuple[float, float]:
    """The ends that leave out an equal share of resamples on both sides."""
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
