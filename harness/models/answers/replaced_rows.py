"""A model some of whose rows are others for a while: at the end that tokens go in by, at the one they come out by."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter

from harness.models.answers.causal_model import CausalModel
from harness.models.loaded import LanguageModel


@dataclass(frozen=True, eq=False)
class NewRows:
    """Rows for some tokens. An end that is None stays as it is."""

    ids: tuple[int, ...]
    input: Float[Tensor, "token d_model"] | None
    output: Float[Tensor, "token d_model"] | None
    """The very tensor of `input` for one row at both ends: then a tied model stays tied."""

    def unties(self, model: LanguageModel) -> bool:
        """Whether a tied model needs two matrices for them."""
        return bool(self.ids) and model.is_tied and self.input is not self.output


@contextmanager
def rows_replaced(model: CausalModel, rows: NewRows) -> Iterator[None]:
    """Inside, the model has these rows; afterwards its own matrices again, whatever happened.

    The model's own memory is not written to: both matrices that change are copies. What was read of a text before
    (keys and values) is of the other rows.
    """
    if not rows.ids:
        yield
        return
    backend = model.backend
    ends = (backend.get_input_embeddings(), backend.get_output_embeddings())
    own = tuple(module.weight for module in ends)
    tied, was_tied_in_config = own[0] is own[1], backend.config.tie_word_embeddings
    replaced = [_with_rows(weight, rows.ids, new) for weight, new in zip(own, (rows.input, rows.output), strict=True)]
    if tied and not rows.unties(model):
        replaced[1] = replaced[0]
    try:
        for module, weight in zip(ends, replaced, strict=True):
            module.weight = weight
        backend.config.tie_word_embeddings = replaced[0] is replaced[1]
        yield
    finally:
        for module, weight in zip(ends, own, strict=True):
            module.weight = weight
        backend.config.tie_word_embeddings = was_tied_in_config


def _with_rows(weight: Any, ids: Sequence[int], new: Tensor | None) -> Any:
    if new is None:
        return weight
    with torch.no_grad():
        changed = weight.detach().clone()
        changed[torch.tensor(ids, device=changed.device)] = new.to(changed)
    return Parameter(changed, requires_grad=False)
