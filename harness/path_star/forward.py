"""What answers are got out of."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

Forward = Callable[[Int[Tensor, "batch pos"]], Float[Tensor, "batch pos d_vocab"]]
"""Logits of one causal pass."""
