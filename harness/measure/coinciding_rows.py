"""Sets of rows that nearly coincide: tokens that a model can't tell apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from harness.measure.row_checks import check_finite, principal_axes

COINCIDING_BELOW = 0.01
"""Cosine distance, after the mean row was subtracted everywhere, below which two rows are taken for the same."""

_NO_LENGTH = 1e-6
"""Of the median centred length: what is shorter has no direction that rounding did not make."""
_BLOCK = 1024
_WIDE_BLOCK = 8192
_MOST_PAIRS = 4_000_000
_ALL_AXES_UP_TO = 128
_SHARE_OF_AXES = 8
_ROUNDING = 1e-4


def coinciding_sets(
    rows: Float[np.ndarray, "token d_model"], ids: Sequence[int] | None = None, *, threshold: float = COINCIDING_BELOW
) -> tuple[tuple[int, ...], ...]:
    """Part rows into sets that nearly coincide; a row by itself is a set of one, so every row is in exactly one set.

    `rows` is the whole vocabulary, whose mean row is what they are centred on; with `ids` only these are parted (they
    are linked through one another alone). Two rows are linked where their cosine distance after centring is below
    `threshold`, and whatever is linked through others belongs together (single linkage). Equal rows are always
    together; so are rows that equal the mean up to rounding, which have no direction. Sets and their members ascend.
    Exact; memory grows with the number of rows, not with its square. Raises `RunFailed` for rows that are not finite.
    """
    return CentredRows.of(rows).sets(ids, threshold=threshold)


def coinciding_with(
    rows: Float[np.ndarray, "token d_model"], ids: Sequence[int], *, threshold: float = COINCIDING_BELOW
) -> dict[int, tuple[int, ...]]:
    """For each of a few ids the whole set of rows that it is in, itself included, as `coinciding_sets` would part them.

    Raises `RunFailed` for rows that are not finite.
    """
    return CentredRows.of(rows).sets_of(ids, threshold=threshold)


@dataclass(frozen=True, eq=False)
class CentredRows:
    """A vocabulary's rows made ready to be compared, for several questions about the same rows."""

    rows: Float[np.ndarray, "token d_model"]
    directions: Float[np.ndarray, "token d_model"]
    """Of length 1 after centring, or 0 where nothing but rounding is left."""
    has_direction: np.ndarray

    @classmethod
    def of(cls, rows: Float[np.ndarray, "token d_model"]) -> "CentredRows":
        """Centred on their mean row. Raises `RunFailed` for rows that are not finite."""
        check_finite(rows)
        centred = (rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)).astype(np.float32)
        lengths = np.sqrt(np.einsum("td,td->t", centred, centred))
        typical = float(np.median(lengths[lengths > 0])) if (lengths > 0).any() else 1.0
        has_direction = lengths > _NO_LENGTH * typical
        centred /= np.where(has_direction, lengths, 1)[:, None]
        centred[~has_direction] = 0
        return cls(rows, centred, has_direction)

    def sets(
        self, ids: Sequence[int] | None = None, *, threshold: float = COINCIDING_BELOW
    ) -> tuple[tuple[int, ...], ...]:
        """As `coinciding_sets`."""
        chosen = np.arange(len(self.rows)) if ids is None else np.asarray(sorted(set(ids)), dtype=np.int64)
        some = self if ids is None else CentredRows(*(part[chosen] for part in vars(self).values()))
        found: dict[int, list[int]] = {}
        for row, label in zip(chosen.tolist(), _labels(some, threshold).tolist(), strict=True):
            found.setdefault(label, []).append(row)
        return tuple(sorted(tuple(members) for members in found.values()))

    def sets_of(self, ids: Sequence[int], *, threshold: float = COINCIDING_BELOW) -> dict[int, tuple[int, ...]]:
        """As `coinciding_with`."""
        found: dict[int, tuple[int, ...]] = {}
        for token in ids:
            if token not in found:
                members = _grown(self, token, threshold)
                found |= {other: members for other in ids if other in members}
        return found


def _first_equal(rows: Float[np.ndarray, "token d_model"]) -> Int[np.ndarray, " token"]:
    """For each row the first one that is the same."""
    seen: dict[bytes, int] = {}
    # -0.0 is 0.0 to a model, and other bytes.
    return np.array([seen.setdefault((row + 0.0).tobytes(), place) for place, row in enumerate(rows)], dtype=np.int64)


def _labels(units: CentredRows, threshold: float) -> Int[np.ndarray, " token"]:
    """The same number for all rows of a set."""
    n = len(units.directions)
    labels = _first_equal(units.rows)
    flat = np.flatnonzero(~units.has_direction)
    pending = [np.stack([flat[:-1], flat[1:]])] if len(flat) > 1 else []
    n_pending = 0
    for pairs in _linked_pairs(units, threshold):
        pending.append(pairs)
        n_pending += pairs.shape[1]
        if n_pending > _MOST_PAIRS:
            labels, pending, n_pending = _merged(labels, pending, n), [], 0
    return _merged(labels, pending, n)


def _merged(labels: Int[np.ndarray, " token"], pairs: list[np.ndarray], n: int) -> Int[np.ndarray, " token"]:
    """Labels after sets that a pair links became one: the smaller label takes over until no pair differs.

    By hand, since scipy is too slow to import for a refusal that comes before anything is computed.
    """
    if not pairs:
        return labels
    left, right = labels[np.concatenate(pairs, axis=1)]
    root = np.arange(n)
    while (differ := root[left] != root[right]).any():
        ends = np.stack([root[left[differ]], root[right[differ]]])
        np.minimum.at(root, ends.max(axis=0), ends.min(axis=0))
        while (root[root] != root).any():
            root = root[root]
    return root[labels]


def _linked_pairs(units: CentredRows, threshold: float) -> Iterator[Int[np.ndarray, "two pair"]]:
    """Pairs of rows closer than `threshold`, a block at a time.

    Two steps: a projection shortens every distance, so what is too far apart on some of the axes is never compared on
    all; and rows sorted along the first axis are compared only with those near them there.
    """
    rows = np.flatnonzero(units.has_direction)
    if len(rows) < 2:
        return
    directions = units.directions[rows]
    d_model = directions.shape[1]
    n_axes = d_model if d_model <= _ALL_AXES_UP_TO else max(_ALL_AXES_UP_TO // 2, d_model // _SHARE_OF_AXES)
    axes = principal_axes(directions, n_axes).astype(np.float32)
    order = np.argsort(directions @ axes[:, 0], kind="stable")
    rows, directions = rows[order], directions[order]
    projected = directions @ axes
    half = np.einsum("ta,ta->t", projected, projected) / 2
    reach = np.sqrt(2 * (threshold + _ROUNDING))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(rows)))
        end = int(np.searchsorted(projected[:, 0], projected[block.stop - 1, 0] + reach, side="right"))
        for wide in range(start, end, _WIDE_BLOCK):
            other = slice(wide, min(wide + _WIDE_BLOCK, end))
            near = projected[block] @ projected[other].T - half[block, None] > half[other] - (threshold + _ROUNDING)
            left, right = np.nonzero(near)
            left, right = left + start, right + wide
            later = right > left
            left, right = left[later], right[later]
            for part in range(0, len(left), _BLOCK * _ALL_AXES_UP_TO):
                some = slice(part, part + _BLOCK * _ALL_AXES_UP_TO)
                cosines = np.einsum("pd,pd->p", directions[left[some]], directions[right[some]])
                linked = 1 - cosines < threshold
                yield np.stack([rows[left[some]][linked], rows[right[some]][linked]])


def _grown(units: CentredRows, token: int, threshold: float) -> tuple[int, ...]:
    inside = (units.rows == units.rows[token]).all(axis=1)
    if not units.has_direction[token]:
        return tuple(np.flatnonzero(inside | ~units.has_direction).tolist())
    frontier = np.flatnonzero(inside)
    while len(frontier):
        near = np.zeros(len(inside), dtype=bool)
        # Equal rows reach the same rows: one of them is enough.
        sources = frontier[np.unique(_first_equal(units.rows[frontier]))]
        for start in range(0, len(sources), _BLOCK):
            block = units.directions[sources[start : start + _BLOCK]]
            for wide in range(0, len(inside), _WIDE_BLOCK):
                other = units.directions[wide : wide + _WIDE_BLOCK]
                near[wide : wide + _WIDE_BLOCK] |= (1 - other @ block.T < threshold).any(axis=1)
        near &= units.has_direction
        frontier = np.flatnonzero(near & ~inside)
        inside |= near
    return tuple(np.flatnonzero(inside).tolist())
