"""What rows are changed to at either end of the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.where_it_breaks.choosing import Studied
from experiments.where_it_breaks.interventions import Rows

_NO_LENGTH = 1e-6
"""Of the common deviations' median: what is shorter has no direction that rounding did not make."""


@dataclass(frozen=True, eq=False)
class End:
    """One matrix of the model, and what is typical of its rows for one pool and for its partners."""

    matrix: Float[Tensor, "d_vocab d_model"]
    """The model's own, in its dtype."""
    norm: float
    """Median over partners."""
    common: Float[Tensor, " d_model"]
    """Mean row of the well-known tokens."""
    pool: Float[Tensor, " d_model"]
    """Mean row of the pool's."""
    deviation: float
    """Median distance of partners from `common`."""
    random: Float[Tensor, "token d_model"]
    """A deviation of that length for each token under study."""

    @classmethod
    def of(cls, matrix: Float[Tensor, "d_vocab d_model"], studied: Studied, seed: int) -> "End":
        """Read them off. `seed` draws the random deviations, the same ones for both ends."""
        partners, common, pool = (
            matrix[torch.from_numpy(ids).to(matrix.device)].float()
            for ids in (studied.partners, studied.common, studied.pool)
        )
        centre = common.mean(0)
        deviation = float((partners - centre).norm(dim=1).median())
        noise = np.random.default_rng([seed, len(studied.ids)]).normal(size=(len(studied.ids), matrix.shape[1]))
        random = torch.from_numpy(noise).to(partners)
        random = random / random.norm(dim=1, keepdim=True) * deviation
        return cls(matrix, float(partners.norm(dim=1).median()), centre, pool.mean(0), deviation, random)

    @property
    def direction(self) -> Float[Tensor, " d_model"]:
        """Unit vector from the common tokens' mean row to the pool's."""
        difference = self.pool - self.common
        return difference / difference.norm().clamp(min=torch.finfo(torch.float32).tiny)

    def rows(self, ids: Sequence[int] | Int[np.ndarray, " token"]) -> Float[Tensor, "token d_model"]:
        """As they are, float32."""
        return self.matrix[torch.as_tensor(np.asarray(ids), device=self.matrix.device)].float()

    def changed(self, kind: Rows, ids: Int[np.ndarray, " token"], of_pool: bool) -> Float[Tensor, "token d_model"]:
        """The rows of some tokens as `kind` says. `of_pool`: tokens under study; else their partners, one for each.

        Raises `ValueError` for kinds that are no rows of their own (`PARTNERS`, `NO_DIRECTION`).
        """
        rows = self.rows(ids)
        if kind is Rows.RESCALED:
            return rows * (self.norm / rows.norm(dim=1, keepdim=True).clamp(min=_NO_LENGTH * self.norm))
        if kind is Rows.MENDED:
            own = rows - (self.pool if of_pool else self.common)
            length = own.norm(dim=1, keepdim=True)
            # Rows that equal their mean have nothing of their own: they stay there.
            factor = torch.where(length > _NO_LENGTH * self.deviation, self.deviation / length, 0.0)
            return self.common + own * factor
        if kind is Rows.RANDOM:
            return self.common + self.random
        raise ValueError(f"{kind} are no rows of their own")
