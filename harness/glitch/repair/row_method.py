"""Methods that compute a row for each token and put it in at one end or at both."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from harness.glitch.repair.choices import End
from harness.glitch.repair.mending import RowMending
from harness.glitch.repair.method import RepairMethod
from harness.glitch.repair.patient import Patient, RowSource
from harness.models.answers.replaced_rows import NewRows


@dataclass(frozen=True)
class RowMethod(RepairMethod):
    """A subclass says which rows."""

    kind: ClassVar[str]
    """One of `harness.glitch.repair.choices.ROWS`."""
    end: End

    @property
    def name(self) -> str:
        """What is put in, and where."""
        return f"{self.kind}_{self.end.value}"

    @abstractmethod
    def rows(
        self, patient: Patient, source: RowSource, ids: Sequence[int], rng: np.random.Generator
    ) -> Float[Tensor, "token d_model"]:
        """A row for each token, float32; `source`: the end that they are for."""

    def can_mend(self, patient: Patient, ids: Sequence[int]) -> list[int]:  # noqa: ARG002
        """Those of `ids` that it has a row for."""
        return list(ids)

    def mend(self, patient: Patient, ids: Sequence[int], rng: np.random.Generator) -> RowMending:
        """Rows for those tokens that there are any for. At both ends of a tied model they are the same rows."""
        some = self.can_mend(patient, ids)
        first, last = patient.ends
        seeds = rng.integers(2**32, size=2)
        # The same draws for each end, so that a token's random row at one end is of its row at the other.
        made = self.rows(patient, first, some, np.random.default_rng(seeds))
        other = made if first is last else self.rows(patient, last, some, np.random.default_rng(seeds))
        rows = NewRows(
            tuple(some),
            made if self.end is not End.OUTPUT else None,
            other if self.end is not End.INPUT else None,
        )
        return RowMending(rows=rows, left_out=tuple(sorted(set(ids) - set(some))))
