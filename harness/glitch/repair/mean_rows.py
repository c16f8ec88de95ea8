"""The mean row for every token: what `fix_untrained_tokens` does before a fine-tuning.

Sources: unslothai/unsloth-zoo @3383613b, unsloth_zoo/tokenizer_utils.py, and axolotl's adaptation of it (PR #2122): the
mean over all rows but the untrained ones, at both ends. Both multiply it by the token's count in the fine-tuning data
over the largest count there, unsloth sets rows of tokens that do not occur there to 0, and axolotl leaves these alone;
without such data there is nothing to multiply by, and here there is none. Both choose rows by the weights (all nearly
0 or coinciding); here it is applied to the tokens that are to be mended.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from harness.glitch.repair.patient import Patient, RowSource
from harness.glitch.repair.row_method import RowMethod


class MeanRows(RowMethod):
    """All mended tokens share one row: what is read of one is read of all."""

    kind = "mean"

    def rows(
        self,
        patient: Patient,  # noqa: ARG002
        source: RowSource,
        ids: Sequence[int],
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Float[Tensor, "token d_model"]:
        """The mean of every healthy row, for each token."""
        return source.mean.repeat(len(ids), 1)
