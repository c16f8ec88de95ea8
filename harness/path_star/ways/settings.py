"""Parameters of some ways of training."""

from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Positive, must_be


@dataclass(frozen=True)
class ObjectiveSettings:
    """Parameters of the objectives; those of another objective are not looked at."""

    horizon: Annotated[int, must_be("1 or more, or null", lambda n: n >= 1)] | None = None
    """How many tokens ahead are predicted (multi_token, next_latent); None: l - 2 (arXiv 2511.05963), 2 or more for
    multi_token."""
    added_weight: Positive = 1.0
    """Weight of the added loss (1 in arXiv 2511.05963)."""
    order_temperature: Positive = 1.0
    """token_order: what closeness is divided by before the softmax; large values weigh all tokens to come alike."""
    mask_share: Annotated[float, must_be("0 to 1, or null", lambda share: 0 <= share <= 1)] | None = None
    """masked_targets: how many of the answer's tokens are hidden; None: for every row a share drawn between 0 and 1."""
