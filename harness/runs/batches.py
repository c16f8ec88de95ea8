"""The resumable loop over batches: what is on disk is read, the rest is computed, and the order never changes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from harness.runs.context import Run

T = TypeVar("T")


@dataclass(frozen=True)
class Batch(Generic[T]):
    """One unit of work that is kept or lost as a whole; `key` is unique in the run and safe as a file name."""

    key: str
    work: T
    size: int = 1
    """How many items it holds, for the progress bar."""


def compute_batches(
    run: Run[Any],
    batches: Sequence[Batch[T]],
    compute: Callable[[Batch[T]], Mapping[str, np.ndarray]],
    rows: Callable[[Batch[T], Mapping[str, np.ndarray]], Iterable[Mapping[str, Any]]],
    label: str = "measuring",
) -> list[dict[str, np.ndarray]]:
    """Arrays of every batch in order; each is written as a shard before its rows are recorded.

    An interrupted run that starts again reads the shards it finds and computes only the others, so its metrics are the
    same bytes as those of an undisturbed run as long as they are computed from the returned arrays alone.
    """
    results = []
    with run.progress(sum(batch.size for batch in batches), label) as advance:
        for batch in batches:
            kept = run.shards.read(batch.key)
            if kept is not None:
                arrays = kept.arrays
            else:
                arrays = dict(compute(batch))
                run.shards.write(batch.key, arrays)
            run.records.append(rows(batch, arrays))
            results.append(arrays)
            advance(batch.size)
    return results


def no_rows(_: Any, __: Any) -> tuple[()]:
    """For batches that leave no records."""
    return ()
