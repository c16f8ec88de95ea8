"""From how many exposures on a quantity is half of what well-shown tokens have, with an interval over trainings and
tokens."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

N_RESAMPLES = 2_000


def half_dose(
    doses: Sequence[int], means: Float[np.ndarray, "*shape dose"], half: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """The first crossing of `half`, straight between neighbouring doses on a scale of log2(1 + dose).

    0 where the lowest dose has as much; infinity where none has.
    """
    scale = np.log2(1 + np.asarray(doses, dtype=np.float64))
    reached = means >= half[..., None]
    after = reached.argmax(axis=-1)
    before = np.maximum(after - 1, 0)
    upper = np.take_along_axis(means, after[..., None], axis=-1)[..., 0]
    lower = np.take_along_axis(means, before[..., None], axis=-1)[..., 0]
    rise = np.where(upper > lower, upper - lower, 1.0)
    at = scale[before] + (scale[after] - scale[before]) * np.clip((half - lower) / rise, 0, 1)
    found = np.where(after == 0, float(doses[0]), 2**at - 1)
    return np.where(reached.any(axis=-1), found, np.inf)


def resampled_means(values: Float[np.ndarray, "training token"], seed: int) -> Float[np.ndarray, " resample"]:
    """Means of trainings drawn with replacement, and in each of them of tokens drawn with replacement.

    The draws of trainings depend on `seed` and the number of trainings alone: two quantities resampled with one seed
    have their trainings in common.
    """
    n_trainings, n_tokens = values.shape
    chosen = np.random.default_rng([seed, 0]).integers(n_trainings, size=(N_RESAMPLES, n_trainings))
    tokens = np.random.default_rng([seed, 1]).integers(n_tokens, size=(N_RESAMPLES, n_trainings, n_tokens))
    found: np.ndarray = values[chosen[..., None], tokens].mean(axis=(1, 2))
    return found
