"""How often training showed each token, counted from the rows that were fed."""

from enum import IntEnum

import numpy as np
from jaxtyping import Int

from harness.models.exposures import Exposures


class StreamKind(IntEnum):
    """Which stream a row belongs to."""

    TEXT = 0
    REPEATS = 1
    TASKS = 2


def count_exposures(rows: Int[np.ndarray, "batch pos"], kinds: Int[np.ndarray, " batch"], d_vocab: int) -> Exposures:
    """Count every id in `rows`; `kinds[i]` is the StreamKind of row i."""

    def count(kind: StreamKind) -> np.ndarray:
        return np.bincount(rows[kinds == kind].reshape(-1).astype(np.int64), minlength=d_vocab).astype(np.int64)

    text, repeats, tasks = (count(kind) for kind in StreamKind)
    return Exposures(text + repeats + tasks, text, repeats, tasks)
