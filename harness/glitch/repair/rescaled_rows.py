"""The token's own row, with the length that rows of well-known tokens have."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from harness.glitch.repair.patient import Patient, RowSource
from harness.glitch.repair.row_method import RowMethod

_NO_LENGTH = 1e-6
"""Of the well-known rows' length: what is shorter has no direction that rounding did not make."""


class RescaledRows(RowMethod):
    """Its direction stays."""

    kind = "rescaled"

    def rows(
        self,
        patient: Patient,  # noqa: ARG002
        source: RowSource,
        ids: Sequence[int],
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Float[Tensor, "token d_model"]:
        """Own rows times the well-known tokens' median norm over their own; a row of nearly 0 stays one."""
        own = source.rows(ids)
        length = own.norm(dim=1, keepdim=True)
        return own * (source.norm / length.clamp(min=_NO_LENGTH * source.norm)).where(length > 0, length)
