"""Which tokens of the pools a model can't tell apart, by the rows of its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.measure.coinciding_rows import coinciding_with
from harness.models.embedding_rows import load_embedding_rows
from harness.runs.context import Run


@dataclass(frozen=True)
class Coinciding:
    """For each id of a pool all ids of the vocabulary that coincide with it, itself included."""

    seen: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By the embedding's rows: the same when they are read."""
    said: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By the unembedding's rows: equally likely whatever is predicted."""


def find_coinciding(run: Run[Any]) -> Coinciding:
    """Read both ends of the model from its files and compare every pool's rows with all others."""
    rows = load_embedding_rows(run.identity, run.config.model)
    ids = sorted({token for pool in run.pools.values() for token in pool.ids})
    seen = coinciding_with(rows.embedding, ids)
    said = seen if rows.is_tied else coinciding_with(rows.unembedding, [i for i in ids if i < len(rows.unembedding)])
    return Coinciding(seen, said)
