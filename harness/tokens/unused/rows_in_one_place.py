"""Unused tokens from the weights alone: the largest set of rows that nearly coincide, and what lies around it.

Tokens that training never showed are moved by nothing but what moves all rows (weight decay, the softmax), and end up
in one place.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from harness.measure.coinciding_rows import CentredRows

RING_BELOW = 0.5
"""Cosine distance to the set's centroid, after centring, beyond which a row is no neighbour."""
_LEAST_MEMBERS = 2
_LEAST_LENGTH = 1e-12


@dataclass(frozen=True)
class RowsInOnePlace:
    """A set of rows that nearly coincide, and its nearest neighbours."""

    members: tuple[int, ...]
    ring: tuple[int, ...]
    """Nearest first; no two of them coincide, nor with a token that is there already."""
    farthest: float
    """Cosine distance of the outermost of the ring to the centroid; 0 without a ring."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Both, ascending."""
        return tuple(sorted((*self.members, *self.ring)))


def rows_in_one_place(
    centred: CentredRows, already: Sequence[int], enough: int, in_use: Collection[int] = ()
) -> RowsInOnePlace | None:
    """The largest set, with neighbours until there are `enough` tokens that can be told apart, `already` counted in.

    `in_use` are tokens known to be used (BOS, a chat template's): however their rows lie, they are left out. None where
    no two rows coincide: then weights say nothing (random ones, for instance).
    """
    free = (tuple(i for i in members if i not in in_use) for members in centred.sets())
    largest = max((members for members in free if members), key=lambda members: (len(members), -members[0]), default=())
    if len(largest) < _LEAST_MEMBERS:
        return None
    centroid = centred.directions[list(largest)].mean(axis=0)
    distance = 1 - centred.directions @ centroid / max(float(np.linalg.norm(centroid)), _LEAST_LENGTH)
    taken = sorted({*already, *largest})
    n_distinct = len(centred.sets(taken))
    ring: list[int] = []
    for place in np.argsort(distance, kind="stable"):
        token = int(place)
        if n_distinct >= enough or distance[token] >= RING_BELOW:
            break
        if token in taken or token in in_use:
            continue
        wider = len(centred.sets([*taken, token]))
        if wider > n_distinct:
            ring.append(token)
            taken.append(token)
            n_distinct = wider
    return RowsInOnePlace(largest, tuple(ring), float(distance[ring[-1]]) if ring else 0.0)
