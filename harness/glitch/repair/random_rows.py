"""Rows that say nothing of the token but lie where healthy rows lie: a control that needs no knowledge at all."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from harness.glitch.repair.patient import Patient, RowSource
from harness.glitch.repair.row_method import RowMethod


class RandomRows(RowMethod):
    """Each token gets a row of its own that is as far from the mean as a well-known token's."""

    kind = "random"

    def rows(
        self,
        patient: Patient,  # noqa: ARG002
        source: RowSource,
        ids: Sequence[int],
        rng: np.random.Generator,
    ) -> Float[Tensor, "token d_model"]:
        """The healthy mean and a random direction, of the well-known tokens' median distance from it."""
        return source.mean + random_deviations(source, len(ids), rng)


def random_deviations(source: RowSource, n: int, rng: np.random.Generator) -> Float[Tensor, "token d_model"]:
    """Random directions of the median length that deviations of well-known rows have."""
    noise = torch.from_numpy(rng.normal(size=(n, source.matrix.shape[1]))).to(source.mean)
    return noise / noise.norm(dim=1, keepdim=True) * source.deviation
