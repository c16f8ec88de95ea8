"""What halves are made of, from a model's rows: who can be mistaken for whom, and who keeps company."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from harness.glitch.copying.draws import Material
from harness.measure.coinciding_rows import coinciding_sets


@dataclass(frozen=True, eq=False)
class Units:
    """Rows of a matrix that coincide are one unit."""

    lowest: Int[np.ndarray, " row"]
    """For each row the lowest one that coincides with it."""
    size: Int[np.ndarray, " row"]
    """How many do, itself included."""

    @classmethod
    def of(cls, rows: Float[np.ndarray, "row d_model"]) -> "Units":
        """By the rows alone."""
        lowest, size = np.arange(len(rows)), np.ones(len(rows), dtype=np.int64)
        for members in coinciding_sets(rows):
            if len(members) > 1:
                lowest[list(members)], size[list(members)] = members[0], len(members)
        return cls(lowest, size)


def needed_company(seq_len: int, n_own: int) -> int:
    """Tokens that the model can tell apart, so that companions are found for every pair, whoever is under study."""
    return 2 * (seq_len + n_own)


def gather_material(
    studied: Sequence[int], common: Sequence[int], unit_of: Int[np.ndarray, " d_vocab"], n_needed: int
) -> Material | None:
    """Companions from the well-known tokens `common`, from all where those are too few; None where all are."""
    company = _one_of_each(common, unit_of)
    if len(company) < n_needed:
        company = _one_of_each(studied, unit_of)
    if len(company) < n_needed:
        return None
    return Material(unit_of, np.asarray(company, dtype=np.int64), np.asarray(studied, dtype=np.int64))


def count_units(ids: Sequence[int], unit_of: Int[np.ndarray, " d_vocab"]) -> int:
    """How many of some tokens the model can tell apart."""
    return len(_one_of_each(ids, unit_of))


def _one_of_each(ids: Sequence[int], unit_of: Int[np.ndarray, " d_vocab"]) -> list[int]:
    return list({int(unit_of[token]): token for token in reversed(ids)}.values())[::-1]
