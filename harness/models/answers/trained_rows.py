"""Logits with gradients for some tokens' rows alone: all that is trained of a model."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call

from harness.errors import RunFailed
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.replaced_rows import NewRows


class TrainedRows:
    """Some rows of a model as parameters of their own; the model's weights are not written to.

    A model that is tied has one row a token, which serves at both ends, and stays tied.
    """

    def __init__(self, model: CausalModel, start: NewRows) -> None:
        """`start`: what to begin with. Raises `RunFailed` for a model whose matrices have no name."""
        self._backend, self._ids = model.backend, start.ids
        self._places = torch.tensor(start.ids, device=model.device)
        self._is_tied = model.is_tied
        modules = (self._backend.get_input_embeddings(), self._backend.get_output_embeddings())
        names = [_name_of(self._backend, module) for module in modules]
        self._own: dict[str, Tensor] = {}
        self._rows: dict[str, Tensor] = {}
        given = (start.input, start.output)
        for name, module, rows in list(zip(names, modules, given, strict=True))[: 1 if self._is_tied else 2]:
            own = module.weight.detach()
            begun = own[self._places] if rows is None else rows.to(own)
            self._own[name], self._rows[name] = own, begun.detach().float().clone().requires_grad_(True)

    @property
    def parameters(self) -> list[Tensor]:
        """What an optimiser changes, float32: the rows of the input and, untied, of the output."""
        return list(self._rows.values())

    def logits(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits at every position, with a graph that ends at the rows."""
        weights = {name: own.index_copy(0, self._places, self._rows[name].to(own)) for name, own in self._own.items()}
        out: Tensor = functional_call(
            self._backend, weights, kwargs={"input_ids": tokens, "use_cache": False}, tie_weights=True
        ).logits
        return out

    def new_rows(self) -> NewRows:
        """As they are now."""
        rows = [one.detach().clone() for one in self._rows.values()]
        return NewRows(self._ids, rows[0], rows[-1])


def _name_of(backend: Any, module: Any) -> str:
    found = next((name for name, other in backend.named_modules() if other is module), None)
    if found is None:
        raise RunFailed("this architecture's embedding or unembedding is no part of it by name, so no row is trained")
    return f"{found}.weight"
