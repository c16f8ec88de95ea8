"""train_path_star writes no arrays."""

from harness.runs.arrays import ArraySpec

ARRAYS: tuple[ArraySpec, ...] = ()
