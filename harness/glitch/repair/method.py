"""What a method of repair is: how it is fitted, and what it makes of some tokens."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from harness.glitch.repair.mending import Mending
from harness.glitch.repair.patient import Patient


class RepairMethod(ABC):
    """A subclass is one method in one file, listed in `roster.py`: a frozen dataclass with its settings."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The key of its numbers, one of `harness.glitch.repair.choices.METHODS`."""

    def obstacle(self, patient: Patient) -> str | None:  # noqa: ARG002
        """Why it can't be applied to this model; None where it can."""
        return None

    def fitted(self, patient: Patient) -> "RepairMethod":  # noqa: ARG002
        """The same with its settings chosen by the fitting tokens and wordings, where it has any to choose."""
        return self

    @abstractmethod
    def mend(self, patient: Patient, ids: Sequence[int], rng: np.random.Generator) -> Mending:
        """A change for these tokens. `rng` varies what is random in it."""
