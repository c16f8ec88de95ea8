"""Do the ids taken to be unused say anything about the others? Answered by the weights, before anything is asked."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from harness.glitch.indicators._formulas import cosine_distances
from harness.measure.coinciding_rows import coinciding_sets
from harness.measure.lying_together import Togetherness, togetherness

LOW_SHARE = 0.05
"""Left out of the reference, half of the ids must still have an indicator below that of all but so many ordinary
tokens."""
_MOST_LEFT_OUT = 64


@dataclass(frozen=True)
class LeftOut:
    """What changes when one observation (an id, with those whose rows coincide with its own) is left out."""

    ids: tuple[int, ...]
    share_below: float
    """Share of ordinary tokens whose indicator is lower than that of these ids, judged by the other ids alone."""
    rank_correlation: float
    """Spearman's, over the vocabulary, between the cosine distance with all ids and without these."""


@dataclass(frozen=True)
class ReferenceCheck:
    """The ids taken to be unused, seen in the weights."""

    n_distinct: int
    """Observations: sets of rows that coincide."""
    together: Togetherness | None
    """None where there are too few rows to tell."""
    left_out: tuple[LeftOut, ...]
    """At most so many as can be shown; empty for a single observation."""

    @property
    def smallest_correlation(self) -> float | None:
        """Of those left out: 1 where none of them matters."""
        return min((item.rank_correlation for item in self.left_out), default=None)

    @property
    def median_share_below(self) -> float | None:
        """0 where ids left out are still the lowest of all."""
        return float(np.median([item.share_below for item in self.left_out])) if self.left_out else None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why these weights do not rank under-training; empty where nothing speaks against it."""
        found = []
        if self.together is not None and not self.together.is_beyond_chance:
            found.append(
                f"rows of unused tokens lie no closer together than random ones (mean cosine {self.together.cosine:.2f}"
                f", random at most {self.together.random_highest:.2f})"
            )
        if self.median_share_below is not None and self.median_share_below > LOW_SHARE:
            found.append(
                f"half of the unused tokens, judged by the others, rank above {self.median_share_below:.0%} of "
                f"ordinary tokens (allowed: {LOW_SHARE:.0%})"
            )
        return tuple(found)

    def as_dict(self) -> dict[str, object]:
        """For details.json."""
        return {
            **asdict(self),
            "smallest_correlation": self.smallest_correlation,
            "median_share_below": self.median_share_below,
            "problems": list(self.problems),
        }


def check_reference(
    unembedding: Float[np.ndarray, "d_vocab width"],
    ids: Sequence[int],
    ordinary_ids: Sequence[int],
    embedding: Float[np.ndarray, "d_vocab d_model"] | None = None,
) -> ReferenceCheck | None:
    """Look at the rows of `ids`; `embedding` of an untied model, whose main indicator is the length of its rows.

    None without ids. Memory grows with d_vocab times the number of observations, at most 64 of them.
    """
    if not ids:
        return None
    sets = coinciding_sets(unembedding if embedding is None else embedding, ids)
    ordinary = np.asarray(sorted(set(ordinary_ids) - set(ids)), dtype=np.int64)
    shown = tuple(sets[place] for place in np.unique(np.linspace(0, len(sets) - 1, _MOST_LEFT_OUT).astype(int)))
    left_out = _leave_out(unembedding, ids, shown, ordinary, embedding) if len(sets) > 1 and len(ordinary) else ()
    return ReferenceCheck(len(sets), togetherness(unembedding, ids, ordinary_ids), left_out)


def _leave_out(
    unembedding: Float[np.ndarray, "d_vocab width"],
    ids: Sequence[int],
    sets: Sequence[tuple[int, ...]],
    ordinary: np.ndarray,
    embedding: Float[np.ndarray, "d_vocab d_model"] | None,
) -> tuple[LeftOut, ...]:
    rows = unembedding.astype(np.float64)
    whole = _ranks(cosine_distances(rows, rows[list(ids)].mean(axis=0)))
    lengths = None if embedding is None else np.linalg.norm(embedding.astype(np.float64), axis=1)
    found = []
    for members in sets:
        others = [i for i in ids if i not in members]
        distance = cosine_distances(rows, rows[others].mean(axis=0))
        ranking = distance if lengths is None else lengths
        share = float((ranking[ordinary] < ranking[members[0]]).mean())
        correlation = float(np.corrcoef(whole, _ranks(distance))[0, 1]) if len(rows) > 1 else 1.0
        found.append(LeftOut(members, share, correlation))
    return tuple(found)


def _ranks(values: Float[np.ndarray, " d_vocab"]) -> np.ndarray:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)
