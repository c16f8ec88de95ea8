"""Rows sorted into rough groups of near ones, so that good first bounds and compact blocks come cheaply."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_ROUNDS = 3
_SAMPLE_PER_GROUP = 32
_BLOCK = 8192


@dataclass(frozen=True)
class RowGroups:
    """A permutation of the rows in which groups are consecutive."""

    order: Int[np.ndarray, " n"]
    """Position -> row."""
    spans: tuple[tuple[int, int], ...]
    """First and last position (exclusive) of every group."""
    nearest_groups: Int[np.ndarray, "group group"]
    """For each group all groups, nearest first, itself in front."""

    def columns_around(self, at_least: int) -> list[Int[np.ndarray, " column"]]:
        """For every group the positions of its own rows and of groups around it, at least so many where there are."""
        sizes = np.array([end - start for start, end in self.spans])
        found = []
        for near in self.nearest_groups:
            enough = int(np.searchsorted(np.cumsum(sizes[near]), at_least)) + 1
            found.append(np.concatenate([np.arange(*self.spans[group]) for group in near[:enough]]))
        return found


def group_rows(points: Float[np.ndarray, "n d"]) -> RowGroups:
    """About sqrt(n) groups, by a few rounds of k-means on a sample; they make a search fast and never change it."""
    n = len(points)
    n_groups = max(1, int(np.sqrt(n)))
    rng = np.random.default_rng(0)
    sample = points[rng.permutation(n)[: _SAMPLE_PER_GROUP * n_groups]]
    centres = sample[:n_groups].copy()
    for _ in range(_ROUNDS):
        member_of = _nearest(sample, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, member_of, sample)
        counts = np.bincount(member_of, minlength=n_groups)
        centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
    member_of = _nearest(points, centres)
    sizes = np.bincount(member_of, minlength=n_groups)
    order = np.argsort(member_of, kind="stable")
    present = np.flatnonzero(sizes)
    ends = np.cumsum(sizes[present])
    spans = tuple((int(end - size), int(end)) for end, size in zip(ends, sizes[present], strict=True))
    for start, end in spans:
        members = points[order[start:end]]
        away = members - np.median(members, axis=0)
        # Strays last: the rows of a block should be as near to each other as can be.
        order[start:end] = order[start:end][np.argsort(np.einsum("nd,nd->n", away, away), kind="stable")]
    return RowGroups(order, spans, _nearest_first(centres[present]))


def _nearest(points: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "group d"]) -> Int[np.ndarray, " n"]:
    lengths = np.einsum("gd,gd->g", centres, centres)
    blocks = [points[start : start + _BLOCK] for start in range(0, len(points), _BLOCK)]
    return np.concatenate([(lengths - 2 * block @ centres.T).argmin(axis=1) for block in blocks])


def _nearest_first(centres: Float[np.ndarray, "group d"]) -> Int[np.ndarray, "group group"]:
    lengths = np.einsum("gd,gd->g", centres, centres)
    squared = lengths[:, None] + lengths - 2 * centres @ centres.T
    np.fill_diagonal(squared, -np.inf)
    return squared.argsort(axis=1)
