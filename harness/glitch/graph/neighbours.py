"""Exact k nearest neighbours of every row, in blocks: never an n x n array, and no approximation.

How it is fast. Rows are sorted into rough groups first, and each row's k-th distance among the groups around it is an
upper bound of its true k-th distance. One blocked pass over all pairs (each pair once, distances from one matrix
product) then keeps only pairs below a bound, of which there are hardly more than n * k; a comparison and a search for
the few set bits cost far less than selecting k of n in every row. The pairs left get their exact distance from
differences.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from harness.glitch.graph.choices import Metric
from harness.glitch.graph.grouping import group_rows
from harness.glitch.graph.space import unit_rows
from harness.measure.row_checks import check_rows

_TILE = 512
_LEAST_CANDIDATES = 2048
_EPSILON = float(np.finfo(np.float32).eps)
# Two neighbours this close to each other in distance are told apart in double precision.
_CLOSE_CALL = 1e-5


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


def nearest_neighbours(
    rows: Float[np.ndarray, "n d"], k: int, metric: Metric = Metric.EUCLIDEAN, n_threads: int | None = None
) -> Neighbours:
    """The k nearest neighbours of every row among the others.

    Memory grows with n * (k + d). `n_threads`: default, the processors this process may use. Raises `ValueError` unless
    1 <= k < n, `RunFailed` for rows that are not finite, all the same, or (cosine) zero.
    """
    n = len(rows)
    if not 1 <= k < n:
        raise ValueError(f"k={k} neighbours among {n} rows; k must lie between 1 and {n - 1}")
    check_rows(rows)
    points = unit_rows(rows) if metric is Metric.COSINE else np.ascontiguousarray(rows, dtype=np.float32)
    copies = _Copies.find(points, k)
    ids, squared = _search(points[copies.kept], k, n_threads or _processors())
    ids, squared = copies.restore(ids, squared)
    distances = squared / 2 if metric is Metric.COSINE else np.sqrt(squared)
    return Neighbours(ids, distances.astype(np.float32), metric)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@dataclass(frozen=True)
class _Copies:
    """Rows that are equal to many others: of each such set only the first k + 1 can be anybody's neighbours.

    Without this a vocabulary padded with thousands of equal rows would have millions of pairs at distance zero.
    """

    n: int
    kept: Int[np.ndarray, " kept"]
    dropped: Int[np.ndarray, " dropped"]
    first_copies: Int[np.ndarray, "dropped k"]

    @classmethod
    def find(cls, points: Float[np.ndarray, "n d"], k: int) -> "_Copies":
        n = len(points)
        # -0.0 and 0.0 are equal numbers with different bytes.
        as_bytes = (
            np.ascontiguousarray(points + 0.0).view(np.dtype((np.void, points.itemsize * points.shape[1]))).ravel()
        )
        _, group, sizes = np.unique(as_bytes, return_inverse=True, return_counts=True)
        if sizes.max() <= k + 1:
            return cls(n, np.arange(n), np.empty(0, np.int64), np.empty((0, k), np.int64))
        order = np.argsort(group, kind="stable")
        starts = np.cumsum(sizes) - sizes
        place = np.empty(n, dtype=np.int64)
        place[order] = np.arange(n) - starts[group[order]]
        dropped = np.flatnonzero(place > k)
        return cls(n, np.flatnonzero(place <= k), dropped, order[starts[group[dropped]][:, None] + np.arange(k)])

    def restore(
        self, ids: Int[np.ndarray, "kept k"], squared: Float[np.ndarray, "kept k"]
    ) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
        if not len(self.dropped):
            return ids, squared
        all_ids = np.empty((self.n, ids.shape[1]), dtype=np.int64)
        all_squared = np.zeros((self.n, ids.shape[1]), dtype=squared.dtype)
        all_ids[self.kept] = self.kept[ids]
        all_squared[self.kept] = squared
        all_ids[self.dropped] = self.first_copies
        return all_ids, all_squared


def _search(
    points: Float[np.ndarray, "n d"], k: int, n_threads: int
) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
    """Ids and squared distances; the work is done on rows in order of their group, so that tiles hold near rows."""

    n = len(points)
    groups = group_rows(points)
    scan = _Scan(points[groups.order], k)
    ids = np.empty((n, k), dtype=np.int64)
    squared = np.empty((n, k), dtype=np.float32)
    # The pool's threads each do whole tiles; a matrix product that starts threads of its own would only fight them.
    with threadpool_limits(1), ThreadPoolExecutor(max_workers=n_threads) as pool:
        columns = groups.columns_around(at_least=max(_LEAST_CANDIDATES, 4 * (k + 1)))
        for (start, end), bound in zip(groups.spans, pool.map(scan.bounds, groups.spans, columns), strict=True):
            scan.bound[start:end] = bound
        for block, found in zip(scan.blocks(), pool.map(scan.exact, scan.collected(pool)), strict=True):
            where = groups.order[block]
            ids[where], squared[where] = groups.order[found[0]], found[1]
    return _in_order_of_index(ids, squared)


def _in_order_of_index(
    ids: Int[np.ndarray, "n k"], squared: Float[np.ndarray, "n k"]
) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
    order = np.lexsort((ids, squared), axis=1)
    return np.take_along_axis(ids, order, axis=1), np.take_along_axis(squared, order, axis=1)


_Pairs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Row within its block (uint16), other row (int32), rough squared distance and how far off that can be (float32)."""


class _Scan:
    """One search: the rows in working order, and the upper bound of each row's k-th squared distance."""

    def __init__(self, points: Float[np.ndarray, "n d"], k: int) -> None:
        self.points = points
        self.k = k
        self.bound = np.zeros(len(points), dtype=np.float32)
        # Worst case of a float32 sum of d products, relative to the squared lengths that went in.
        self._rounding = 2 * (points.shape[1] + 4) * _EPSILON

    def blocks(self) -> list[slice]:
        n = len(self.points)
        return [slice(start, min(start + _TILE, n)) for start in range(0, n, _TILE)]

    def bounds(self, span: tuple[int, int], columns: Int[np.ndarray, " column"]) -> Float[np.ndarray, " row"]:
        """Upper bounds for the rows of one group, from the rows of the groups around it (itself among them)."""
        start, end = span
        centre = np.median(self.points[start:end], axis=0)
        others = self.points[columns] - centre
        other_lengths = np.einsum("nd,nd->n", others, others)
        found = np.empty(end - start, dtype=np.float32)
        for low in range(start, end, _TILE):
            high = min(low + _TILE, end)
            some = self.points[low:high] - centre
            lengths = np.einsum("nd,nd->n", some, some)
            squared = np.matmul(some * -2, others.T)
            squared += other_lengths
            # Among the columns is the row itself, at distance zero: the k-th other is the (k+1)-th smallest.
            kth = np.partition(squared, self.k, axis=1)[:, self.k] + lengths
            kth = np.maximum(kth, 0)
            found[low - start : high - start] = kth + self._error(kth, lengths)
        return found

    def _error(self, squared: Float[np.ndarray, " row"], lengths: Float[np.ndarray, " row"]) -> np.ndarray:
        """How far off rounding can put squared distances that are at most `squared`, from rows of squared `lengths`."""
        # A row at distance sqrt(s) of one of length sqrt(l) has a length of at most sqrt(s) + sqrt(l).
        reach = lengths + (np.sqrt(squared) + np.sqrt(lengths)) ** 2
        return self._rounding * reach + np.float32(1e-37)

    def collected(self, pool: ThreadPoolExecutor) -> Iterator[tuple[slice, list[_Pairs]]]:
        """For every block of rows the pairs that can be among the nearest: (row in the block, other row) indices."""
        blocks = self.blocks()
        pairs: list[list[_Pairs]] = [[] for _ in blocks]
        # A block is complete once its own row of tiles is done: those left of it came from earlier rows.
        for number, found in enumerate(pool.map(self._scan_row_of_tiles, range(len(blocks)))):
            for other, rows_and_columns in found:
                pairs[other].append(rows_and_columns)
            yield blocks[number], pairs[number]
            pairs[number] = []

    def _scan_row_of_tiles(self, number: int) -> list[tuple[int, _Pairs]]:
        blocks = self.blocks()
        block = blocks[number]
        # Relative to the block's own centre lengths are short where it matters: near rows lose no digits. The median,
        # as one stray row would pull the mean away from a thousand that are nearly the same.
        centre = np.median(self.points[block], axis=0)
        rows = _Side(self.points[block], centre)
        row_error = self._error(self.bound[block], rows.lengths)
        row_bound = (self.bound[block] + row_error)[:, None]
        left = rows.as_rows
        buffer, mask = np.empty(_TILE * _TILE, dtype=np.float32), np.empty(_TILE * _TILE, dtype=bool)
        found: list[tuple[int, _Pairs]] = []
        for other in range(number, len(blocks)):
            columns = _Side(self.points[blocks[other]], centre)
            shape = (block.stop - block.start, len(columns.lengths))
            squared, below = buffer[: shape[0] * shape[1]], mask[: shape[0] * shape[1]]
            np.matmul(left, columns.as_columns, out=squared.reshape(shape))
            np.less(squared.reshape(shape), row_bound, out=below.reshape(shape))
            where, row, column = _set_bits(below, shape[1])
            if other == number:
                apart = row != column
                where, row, column = where[apart], row[apart], column[apart]
            pairs = (row.astype(np.uint16), column + np.int32(blocks[other].start), squared[where], row_error[row])
            found.append((number, pairs))
            if other != number:
                error = self._error(self.bound[blocks[other]], columns.lengths)
                np.less(squared.reshape(shape), self.bound[blocks[other]] + error, out=below.reshape(shape))
                where, row, column = _set_bits(below, shape[1])
                pairs = (column.astype(np.uint16), row + np.int32(block.start), squared[where], error[column])
                found.append((other, pairs))
        return found

    def exact(self, task: tuple[slice, list[_Pairs]]) -> tuple[Int[np.ndarray, "row k"], Float[np.ndarray, "row k"]]:
        """The k nearest of a block of rows among its pairs, by exact squared distance."""
        block, pairs = task
        row, other, rough, error = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        near = _near_enough(row, rough, error, block.stop - block.start, self.k)
        row, other = row[near], other[near]
        difference = self.points[block][row] - self.points[other]
        squared = np.einsum("pd,pd->p", difference, difference)
        order = np.lexsort((other, squared, row))
        row, other, squared = row[order], other[order], squared[order]
        counts = np.bincount(row, minlength=block.stop - block.start)
        starts = np.cumsum(counts) - counts
        if counts.min() < self.k:
            raise RuntimeError("the nearest-neighbour scan lost pairs: its bounds are wrong")
        self._settle_close_calls(block, other, squared, starts, counts)
        chosen = starts[:, None] + np.arange(self.k)
        return other[chosen].astype(np.int64), squared[chosen]

    def _settle_close_calls(
        self, block: slice, other: np.ndarray, squared: np.ndarray, starts: np.ndarray, counts: np.ndarray
    ) -> None:
        """Where the k-th and the next are nearly equally far, order that row's pairs in double precision, in place."""
        rivals = np.flatnonzero(counts > self.k)
        last, following = squared[starts[rivals] + self.k - 1], squared[starts[rivals] + self.k]
        for i in rivals[following - last <= _CLOSE_CALL * following]:
            span = slice(starts[i], starts[i] + counts[i])
            point = self.points[block.start + i].astype(np.float64)
            exact = ((self.points[other[span]] - point) ** 2).sum(axis=1)
            order = np.lexsort((other[span], exact))
            other[span], squared[span] = other[span][order], exact[order].astype(np.float32)


def _set_bits(mask: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat indices, rows and columns (int32) of the true elements of a matrix given flat."""
    where = np.flatnonzero(mask).astype(np.int32)
    row = where // np.int32(width)
    return where, row, where - row * np.int32(width)


def _near_enough(row: np.ndarray, rough: np.ndarray, error: np.ndarray, n_rows: int, k: int) -> np.ndarray:
    """Which pairs can still be among the k nearest of their row, by their rough distances."""
    counts = np.bincount(row, minlength=n_rows)
    order = np.argsort(row, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = np.full((n_rows, max(k, int(counts.max()))), np.inf, dtype=np.float32)
    table[row, place] = rough + error
    kth = np.partition(table, k - 1, axis=1)[:, k - 1]
    return rough - error <= kth[row]


class _Side:
    """One side of a tile, relative to a centre: two factors whose product is the matrix of squared distances."""

    def __init__(self, points: Float[np.ndarray, "row d"], centre: Float[np.ndarray, " d"]) -> None:
        self._points = points - centre
        self.lengths = np.einsum("nd,nd->n", self._points, self._points)

    @property
    def as_rows(self) -> np.ndarray:
        """[-2x, |x|^2, 1]."""
        return np.concatenate([self._points * -2, self.lengths[:, None], np.ones_like(self.lengths)[:, None]], axis=1)

    @property
    def as_columns(self) -> np.ndarray:
        """[y, 1, |y|^2] transposed."""
        columns = [self._points, np.ones_like(self.lengths)[:, None], self.lengths[:, None]]
        return np.concatenate(columns, axis=1).T
