"""What arrays an experiment writes, as data: held against what a run writes, and printed in docs/results.md."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.errors import RunFailed


@dataclass(frozen=True)
class ArraySpec:
    """One array of arrays.safetensors, or several whose names differ in one part."""

    name: str
    """`<pool>` and the like stand for any one part between slashes."""
    axes: str
    """A word for each axis, as in the signatures: `layer head offset`."""
    dtype: Literal["int8", "int64", "float32", "float64"]
    meaning: str
    when: str = ""
    """Completes "only ...", where not every run has it; empty for an array that every run writes."""

    def matches(self, name: str) -> bool:
        """Whether an array of this name is meant."""
        return re.fullmatch(re.sub(r"<\w+>", "[^/]+", self.name), name) is not None

    def describes(self, name: str, array: np.ndarray) -> bool:
        """Whether it is meant, and has this type and as many axes."""
        return self.matches(name) and array.dtype == self.dtype and array.ndim == len(self.axes.split())


def check_arrays(declared: Sequence[ArraySpec], arrays: Mapping[str, np.ndarray]) -> None:
    """Raises `RunFailed` that names the first array that is not as declared."""
    for name, array in arrays.items():
        if not any(spec.describes(name, array) for spec in declared):
            allowed = " or ".join(f"{spec.dtype} [{spec.axes}]" for spec in declared if spec.matches(name))
            raise RunFailed(
                f"ARRAYS: got {name} as {array.dtype} with {array.ndim} axes, declared: {allowed or 'no such name'}"
            )


def markdown_table(declared: Sequence[ArraySpec]) -> str:
    """The table of a page: one line an array."""
    rows = [("name", "axes", "type", "meaning"), ("---",) * 4]
    rows += [
        (f"`{spec.name}`", spec.axes, spec.dtype, f"{spec.meaning}; only {spec.when}" if spec.when else spec.meaning)
        for spec in declared
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
