"""Taking single attention heads out of a model: their output is replaced by its mean."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor


class MeanOutput:
    """Adds up a layer's head outputs over rows of one width, for their mean at every position."""

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self._rows = 0

    def add(self, output: Float[Tensor, "batch pos head d_head"]) -> None:
        """Take the rows of one pass into account."""
        total = output.double().sum(dim=0)
        self._total = total if self._total is None else self._total + total
        self._rows += len(output)

    def mean(self) -> Float[Tensor, "pos head d_head"]:
        """Over all rows so far; raises ValueError before the first."""
        if self._total is None:
            raise ValueError("no rows to take a mean of")
        return self._total / self._rows


def without_head(
    head: int, mean: Float[Tensor, "pos head d_head"]
) -> Callable[[Float[Tensor, "batch pos head d_head"]], Float[Tensor, "batch pos head d_head"]]:
    """An edit that puts the mean in place of one head's output, so that the head's output is the same for every row.

    The mean keeps the layers after it in the range they know, which zeros would not (mean ablation, as in Wang et al.,
    arXiv 2211.00593).
    """

    def edit(output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, :, head] = mean[:, head].to(output)
        return changed

    return edit
