"""A model whose activations are changed while it answers: at the place that is answered from, or everywhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any

from jaxtyping import Int
from torch import Tensor

from harness.models.answers.causal_model import CausalModel
from harness.models.answers.reuse import Layers, Reuse

Edit = Callable[[Tensor], Tensor]
"""[batch pos width] -> the same with other values; nothing is changed in place."""


class Scope(Enum):
    """Where activations are changed."""

    ANSWERS = "answers"
    """At a prompt's last position, and at every token that is answered."""
    TEXT = "text"
    """At every position: for texts that are scored as if the model had written them."""


class SteeredModel(CausalModel):
    """The model of another with changed activations; weights are shared, and closing it closes nothing."""

    def __init__(self, plain: CausalModel, scope: Scope) -> None:
        super().__init__(plain.backend, plain.n_ctx)
        self._plain, self._scope, self.is_paused = plain, scope, False

    def reuse(self, n_pos: int) -> Reuse:
        """As tried on the plain model: a change at every position is a change of each by itself."""
        with self._paused():
            return self._plain.reuse(n_pos)

    def keys_and_values(self, rows: Int[Tensor, "row pos"]) -> Layers | None:
        """Of beginnings, which nothing is answered from: changed only where every position is."""
        if self._scope is Scope.TEXT:
            return self._plain.keys_and_values(rows)
        with self._paused():
            return self._plain.keys_and_values(rows)

    @contextmanager
    def _paused(self) -> Iterator[None]:
        self.is_paused = True
        try:
            yield
        finally:
            self.is_paused = False

    def close(self) -> None:
        """The weights are the plain model's."""
        self._backend = None


@contextmanager
def steered(plain: CausalModel, edits: Mapping[Any, Edit], scope: Scope) -> Iterator[SteeredModel]:
    """Inside, the output of each module is what its edit makes of it. `edits`: by module of `plain.backend`."""
    model = SteeredModel(plain, scope)

    def hook(edit: Edit) -> Callable[[Any, Any, Tensor], Tensor | None]:
        def change(_: Any, __: Any, output: Tensor) -> Tensor | None:
            if model.is_paused:
                return None
            if scope is Scope.TEXT:
                return edit(output)
            changed = output.clone()
            changed[:, -1:] = edit(output[:, -1:])
            return changed

        return change

    handles = [module.register_forward_hook(hook(edit)) for module, edit in edits.items()]
    try:
        yield model
    finally:
        for handle in handles:
            handle.remove()
        model.close()
