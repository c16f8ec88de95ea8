"""Doing nothing: what every other method is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.glitch.repair.choices import UNTOUCHED
from harness.glitch.repair.mending import NoMending
from harness.glitch.repair.method import RepairMethod
from harness.glitch.repair.patient import Patient


@dataclass(frozen=True)
class Untouched(RepairMethod):
    """The control: whatever it repairs or harms, asking a second way does."""

    name = UNTOUCHED

    def mend(self, patient: Patient, ids: Sequence[int], rng: np.random.Generator) -> NoMending:  # noqa: ARG002
        """Nothing."""
        return NoMending()
