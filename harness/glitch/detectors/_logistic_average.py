"""A logistic curve of unknown place and steepness along one score, averaged over what fits the verdicts."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, logsumexp

# A token may answer against any score.
_LAPSE = 0.02


def average_curves(
    scores: Float[np.ndarray, " token"],
    seen: Float[np.ndarray, " queried"],
    fails: Bool[np.ndarray, " queried"],
    places: Float[np.ndarray, " place"],
    steepnesses: Float[np.ndarray, " steepness"],
) -> tuple[float, Float[np.ndarray, " token"]]:
    """Log evidence of the grid, and P(fails) at `scores`: the mean of the grid's curves, each weighed by how likely it
    makes the verdicts on tokens with the scores `seen` (Bayesian model averaging, Hoeting et al. 1999). It needs no
    verdict of either kind to begin with."""
    where, steep = (grid.ravel() for grid in np.meshgrid(places, steepnesses, indexing="ij"))
    rises = _LAPSE / 2 + (1 - _LAPSE) * expit(steep * (seen[:, None] - where))
    likelihood = np.log(np.where(fails[:, None], rises, 1 - rises)).sum(axis=0)
    weights = np.exp(likelihood - logsumexp(likelihood))
    kept = np.flatnonzero(weights > 1e-4)
    found = np.zeros(len(scores))
    for place in kept:
        found += weights[place] * expit(steep[place] * (scores - where[place]))
    found = _LAPSE / 2 + (1 - _LAPSE) * found / weights[kept].sum()
    return float(logsumexp(likelihood) - np.log(len(where))), found
