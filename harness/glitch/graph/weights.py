"""Neighbour lists to a weighted graph: near means strong, and each row's own density sets what near is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from harness.glitch.graph.neighbours import Neighbours

_STEPS = 60
_TOLERANCE = 1e-5
_SMALLEST_SCALE = 1e-3
"""Of the mean distance: where too many neighbours are equally near for the sum to be reached."""


@dataclass(frozen=True)
class TokenGraph:
    """An undirected weighted graph; every edge once, from the smaller index to the larger, in order."""

    n: int
    sources: Int[np.ndarray, " edge"]
    """int64."""
    targets: Int[np.ndarray, " edge"]
    """int64."""
    weights: Float[np.ndarray, " edge"]
    """Above 0, at most 1; float64."""

    @property
    def n_edges(self) -> int:
        """How many edges."""
        return len(self.sources)

    def strengths(self) -> Float[np.ndarray, " n"]:
        """Sum of the weights of every node's edges."""
        ends = np.concatenate([self.sources, self.targets])
        return np.bincount(ends, weights=np.concatenate([self.weights, self.weights]), minlength=self.n)


def fuzzy_graph(neighbours: Neighbours) -> TokenGraph:
    """UMAP's fuzzy union of neighbour lists, the graph that GlitchHunter clusters.

    rho_i is row i's smallest distance above 0, sigma_i such that sum_j exp(-max(0, d_ij - rho_i) / sigma_i) = log2 k
    over its k neighbours; with a = that exponential from i to j and b from j to i the edge weighs a + b - a b, so it is
    there where either names the other. Source: Li et al. 2024 (arXiv 2404.09894) state the edges and rho; the rest is
    the weighting of McInnes et al. 2018 (arXiv 1802.03426), which scanpy.pp.neighbors uses and whose rho is the same.
    """
    directed = directed_weights(neighbours.distances)
    n, k = directed.shape
    rows = np.repeat(np.arange(n, dtype=np.int64), k)
    columns, values = neighbours.ids.ravel(), directed.ravel()
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    key = low * n + high
    order = np.argsort(key, kind="stable")
    key, values = key[order], values[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    mutual = np.zeros(len(first), dtype=bool)
    mutual[:-1] = np.diff(first) == 2
    mutual[-1] = len(key) - first[-1] == 2
    there = values[first]
    back = np.where(mutual, values[np.minimum(first + 1, len(key) - 1)], 0.0)
    weights = there + back - there * back
    kept = weights > 0
    sources, targets = np.divmod(key[first][kept], n)
    return TokenGraph(n, sources, targets, weights[kept])


def directed_weights(distances: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """exp(-max(0, d - rho_i) / sigma_i) of every row's neighbours, float64."""
    distances = distances.astype(np.float64)
    positive = np.where(distances > 0, distances, np.inf).min(axis=1)
    rho = np.where(np.isfinite(positive), positive, 0.0)
    beyond = np.maximum(0.0, distances - rho[:, None])
    own_mean, mean = distances.mean(axis=1), float(distances.mean())
    floor = np.where(rho > 0, own_mean, mean) * _SMALLEST_SCALE
    sigma = _scales(beyond, floor)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(beyond > 0, beyond / sigma[:, None], 0.0)
    return np.exp(-scaled)


def _scales(beyond: Float[np.ndarray, "n k"], floor: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """sigma of every row: Newton's method on log sigma inside a bracket that halves where a step would leave it."""
    target = np.log2(beyond.shape[1])
    sigma = np.maximum(floor, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        open_rows = np.flatnonzero((np.exp(-beyond / sigma[:, None]).sum(axis=1) < target) & (floor > 0))
    low = np.log(sigma[open_rows])
    # The sum exceeds log2 k for every k >= 2 once sigma is a few times the largest distance; for k = 1 the floor does.
    high = np.log(np.maximum(beyond[open_rows].max(axis=1), sigma[open_rows])) + np.log(1e3)
    guess = np.clip(np.log(np.maximum(beyond[open_rows].mean(axis=1), sigma[open_rows])), low, high)
    for _ in range(_STEPS):
        if not len(open_rows):
            break
        scaled = beyond[open_rows] / np.exp(guess)[:, None]
        terms = np.exp(-scaled)
        excess = terms.sum(axis=1) - target
        sigma[open_rows] = np.exp(guess)
        low, high = np.where(excess < 0, guess, low), np.where(excess >= 0, guess, high)
        slope = (terms * scaled).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = guess - excess / slope
        inside = (step > low) & (step < high)
        going = np.abs(excess) > _TOLERANCE
        guess = np.where(inside, step, (low + high) / 2)[going]
        open_rows, low, high = open_rows[going], low[going], high[going]
    return sigma
