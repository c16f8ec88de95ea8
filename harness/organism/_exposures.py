"""How often training showed each token, counted from the rows that were fed."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Int


class StreamKind(IntEnum):
    """Which stream a row belongs to."""

    TEXT = 0
    REPEATS = 1
    TASKS = 2


@dataclass(frozen=True)
class Exposures:
    """Counts of every id in the training rows, per stream and in total."""

    text: Int[np.ndarray, " d_vocab"]
    repeats: Int[np.ndarray, " d_vocab"]
    tasks: Int[np.ndarray, " d_vocab"]

    @property
    def total(self) -> Int[np.ndarray, " d_vocab"]:
        """Counts over all streams."""
        return self.text + self.repeats + self.tasks


def count_exposures(rows: Int[np.ndarray, "batch pos"], kinds: Int[np.ndarray, " batch"], d_vocab: int) -> Exposures:
    """Count every id in `rows`; `kinds[i]` is the StreamKind of row i."""

    def count(kind: StreamKind) -> np.ndarray:
        return np.bincount(rows[kinds == kind].reshape(-1).astype(np.int64), minlength=d_vocab).astype(np.int64)

    return Exposures(count(StreamKind.TEXT), count(StreamKind.REPEATS), count(StreamKind.TASKS))
