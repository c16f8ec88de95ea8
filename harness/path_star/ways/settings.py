"""Parameters of some ways of training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectiveSettings:
    """Parameters of the objectives; those of another objective are not looked at.

    Raises ValueError naming field, value and what is allowed.
    """

    horizon: int | None = None
    """How many tokens ahead are predicted (multi_token, next_latent); None: l - 2 (arXiv 2511.05963), 2 or more for
    multi_token."""
    added_weight: float = 1.0
    """Weight of the added loss (1 in arXiv 2511.05963)."""
    order_temperature: float = 1.0
    """token_order: what closeness is divided by before the softmax; large values weigh all tokens to come alike."""
    mask_share: float | None = None
    """masked_targets: how many of the answer's tokens are hidden; None: for every row a share drawn between 0 and 1."""

    def __post_init__(self) -> None:
        if self.horizon is not None and self.horizon < 1:
            raise ValueError(f"horizon: got {self.horizon}, allowed: 1 or more, or null")
        if self.added_weight <= 0:
            raise ValueError(f"added_weight: got {self.added_weight}, allowed: above 0")
        if self.order_temperature <= 0:
            raise ValueError(f"order_temperature: got {self.order_temperature}, allowed: above 0")
        if self.mask_share is not None and not 0 <= self.mask_share <= 1:
            raise ValueError(f"mask_share: got {self.mask_share}, allowed: 0 to 1, or null")
