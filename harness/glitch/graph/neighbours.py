"""Exact k nearest neighbours of every row: faiss's flat search finds candidates, their distances are measured anew.

faiss takes distances from a matrix product, which is fast and whose rounding error grows with the rows' lengths, not
with the distances. So a few more candidates than k are asked for, and a row is done once its farthest candidate is, by
more than rounding can do, farther than its k-th neighbour: no row that was left out can be nearer. Rows for which that
does not hold, as those that have nearly collapsed to one point, are searched again from differences.
"""

from dataclasses import dataclass

import faiss
import numpy as np
from jaxtyping import Bool, Float, Int

from harness.errors import RunFailed
from harness.glitch.graph.choices import Metric
from harness.glitch.graph.space import unit_rows
from harness.measure.row_checks import check_rows

_SPARE = 8
"""Candidates beyond k; most rows need two or three."""
_FEW = 16
"""Rows at a time from which faiss subtracts; it multiplies matrices from `faiss.cvar.distance_compute_blas_threshold`
on, which is 20."""
_MEASURED_AT_ONCE = 2**19
"""Numbers of candidates' coordinates that fit a processor's cache while they are measured."""
_CLOSE_CALL = 1e-5
"""Two neighbours so close to each other in squared distance, relatively, are told apart in double precision."""


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other rows of every row, nearest first; equal distances in order of index."""

    ids: Int[np.ndarray, "n k"]
    """int64."""
    distances: Float[np.ndarray, "n k"]
    """float32, in the metric."""
    metric: Metric

    @property
    def k(self) -> int:
        """Neighbours per row."""
        return self.ids.shape[1]


def nearest_neighbours(rows: Float[np.ndarray, "n d"], k: int, metric: Metric = Metric.EUCLIDEAN) -> Neighbours:
    """The k nearest neighbours of every row among the others; of equally far ones those with the lowest index.

    Memory grows with n * (k + d). Runs on as many threads as OpenMP has been told to use (OMP_NUM_THREADS). Raises
    `ValueError` unless 1 <= k < n, `RunFailed` for rows that are not finite, all the same, (cosine) zero, or so large
    that their squares are not finite.
    """
    n = len(rows)
    if not 1 <= k < n:
        raise ValueError(f"k={k} neighbours among {n} rows; k must lie between 1 and {n - 1}")
    check_rows(rows)
    points = unit_rows(rows) if metric is Metric.COSINE else np.ascontiguousarray(rows, dtype=np.float32)
    kept, dropped, first_copies = _copies(points, k)
    ids, squared = np.empty((n, k), dtype=np.int64), np.zeros((n, k), dtype=np.float32)
    found, squared[kept] = _search(points[kept], k)
    ids[kept], ids[dropped] = kept[found], first_copies
    return Neighbours(ids, squared / 2 if metric is Metric.COSINE else np.sqrt(squared), metric)


def _copies(
    points: Float[np.ndarray, "n d"], k: int
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " dropped"], Int[np.ndarray, "dropped k"]]:
    """Rows that are searched; rows equal to more than k before them; the first k of the rows each of those is equal to.

    Of a set of equal rows only the first k + 1 can be anybody's neighbours. Without this each of the thousands of equal
    rows that pad a vocabulary would have thousands of candidates.
    """
    # -0.0 and 0.0 are equal numbers with different bytes.
    as_bytes = (points + 0.0).view(np.dtype((np.void, points.itemsize * points.shape[1]))).ravel()
    _, group, sizes = np.unique(as_bytes, return_inverse=True, return_counts=True)
    order, starts = np.argsort(group, kind="stable"), np.cumsum(sizes) - sizes
    place = np.empty(len(points), dtype=np.int64)
    place[order] = np.arange(len(points)) - starts[group[order]]
    dropped = np.flatnonzero(place > k)
    return np.flatnonzero(place <= k), dropped, order[starts[group[dropped]][:, None] + np.arange(k)]


def _search(points: Float[np.ndarray, "n d"], k: int) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
    """Ids and squared distances of the k nearest of every row."""
    n, d = points.shape
    # The median, not the mean, which outliers would pull away from a point that thousands of rows share.
    centred = points - np.median(points, axis=0)
    seen = wanted = min(n, k + 1 + _SPARE)
    rough, candidates = _candidates(centred, centred, wanted)
    ids, squared = _measured(points, np.arange(n), candidates, k)
    # Worst case of a float32 sum of d products, relative to the squared lengths that go in: a row at distance sqrt(s)
    # from one of length sqrt(l) is at most as long as both together.
    rounding = 2 * (d + 8) * float(np.finfo(np.float32).eps)
    lengths, kth = np.einsum("nd,nd->n", centred, centred), squared[:, -1]
    error = rounding * (lengths + (np.sqrt(kth) + np.sqrt(lengths)) ** 2)
    left = np.flatnonzero(_can_be_nearer(rough[:, -1], kth, error))
    while seen < n and len(left):
        done = []
        for some in np.split(left, range(_FEW, len(left), _FEW)):
            rough, candidates = _candidates(points[some], points, wanted)
            ids[some], squared[some] = _measured(points, some, candidates, k)
            kth = squared[some, -1]
            done.append(~_can_be_nearer(rough[:, -1], kth, rounding * kth))
        left = left[~np.concatenate(done)]
        seen, wanted = wanted, min(n, 4 * wanted)
    return ids, squared


def _candidates(
    queries: Float[np.ndarray, "row d"], points: Float[np.ndarray, "n d"], wanted: int
) -> tuple[Float[np.ndarray, "row wanted"], Int[np.ndarray, "row wanted"]]:
    """The nearest points by faiss's squared distances, with these distances, nearest first."""
    rough, candidates = faiss.knn(queries, points, wanted)
    if candidates.min() < 0:
        raise RunFailed("rows of the embedding are so large that their distances are not finite numbers")
    return rough, candidates


def _can_be_nearer(
    farthest: Float[np.ndarray, " row"], kth: Float[np.ndarray, " row"], error: Float[np.ndarray, " row"]
) -> Bool[np.ndarray, " row"]:
    """Whether a row beyond the farthest candidate may be as near as the k-th neighbour, by squared distances."""
    # Squares below the smallest normal number have few digits.
    return ~(farthest > kth * (1 + 2 * _CLOSE_CALL) + error + np.finfo(np.float32).tiny)


def _measured(
    points: Float[np.ndarray, "n d"],
    rows: Int[np.ndarray, " row"],
    candidates: Int[np.ndarray, "row candidate"],
    k: int,
) -> tuple[Int[np.ndarray, "row k"], Float[np.ndarray, "row k"]]:
    """The k nearest of each row's candidates, the row itself left out, with their squared distances."""
    candidates = np.sort(candidates, axis=1)
    squared = np.empty(candidates.shape)
    at_once = max(1, _MEASURED_AT_ONCE // (candidates.shape[1] * points.shape[1]))
    for start in range(0, len(rows), at_once):
        part = slice(start, start + at_once)
        squared[part] = _squared_distances(points[rows[part]], points, rows[part], candidates[part])
        last, following = np.partition(squared[part], (k - 1, k), axis=1)[:, k - 1 : k + 1].T
        # Where there is no further candidate (infinite distance) all are taken.
        close = start + np.flatnonzero((following - last <= _CLOSE_CALL * following) & (following < np.inf))
        squared[close] = _squared_distances(
            points[rows[close]].astype(np.float64), points, rows[close], candidates[close]
        )
    # Candidates stand in order of index, so a stable sort leaves equally far ones in it: of those told apart in double
    # precision the nearest are taken, and those that are equally far in single precision then stand in order of index.
    nearest = np.sort(np.argsort(squared, axis=1, kind="stable")[:, :k], axis=1)
    candidates = np.take_along_axis(candidates, nearest, axis=1)
    single = np.take_along_axis(squared, nearest, axis=1).astype(np.float32)
    order = np.argsort(single, axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(single, order, axis=1)


def _squared_distances(
    queries: Float[np.ndarray, "row d"],
    points: Float[np.ndarray, "n d"],
    rows: Int[np.ndarray, " row"],
    candidates: Int[np.ndarray, "row candidate"],
) -> Float[np.ndarray, "row candidate"]:
    """From differences, in the queries' precision; from each row to itself infinite."""
    apart = (points[candidates] - queries[:, None]).reshape(-1, points.shape[1])
    squared = np.einsum("pd,pd->p", apart, apart).reshape(candidates.shape)
    squared[candidates == rows[:, None]] = np.inf
    return squared
