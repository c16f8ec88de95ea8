"""Which tokens of the pools a model can't tell apart, by the rows of its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.measure.coinciding_rows import coinciding_with
from harness.models.embedding_rows import load_embedding_rows
from harness.runs.context import Run
from harness.tokens.repeats import Unit


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


def units_of(ids: Sequence[int], coinciding: Mapping[int, tuple[int, ...]]) -> tuple[Unit, ...]:
    """Some ids, those that coincide together, in the order of the first of each; members ascend."""
    wanted, found, seen = set(ids), [], set()
    for token in ids:
        if token in seen:
            continue
        unit, todo = set(), [token]
        while todo:
            member = todo.pop()
            if member not in unit:
                unit.add(member)
                todo += [other for other in coinciding.get(member, ()) if other in wanted]
        seen |= unit
        found.append(tuple(sorted(unit)))
    return tuple(found)
