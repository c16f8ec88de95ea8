"""Second halves of sequences after the same first halves, which are read only once; logits only where they are read."""

import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import DynamicCache

from harness.errors import RunFailed
from harness.models._memory import memory_budget
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.pass_size import bytes_per_row
from harness.models.answers.reuse import Layers, Reuse


class SecondHalves:
    """Predictions inside second halves, for first halves and second halves of one length each."""

    def __init__(self, model: CausalModel, n_first: int, n_second: int) -> None:
        """`n_first` counts a BOS in front. Raises `RunFailed` where both halves do not fit the model's window."""
        if model.n_ctx is not None and n_first + n_second > model.n_ctx:
            raise RunFailed(f"sequences of {n_first + n_second} tokens do not fit the model's window of {model.n_ctx}")
        self._model, self._n_first, self._n_second = model, n_first, n_second
        self._keeps_some = "logits_to_keep" in inspect.signature(model.backend.forward).parameters

    @cached_property
    def is_shared(self) -> bool:
        """Whether keys and values of a first half stand in for reading it again.

        Some models keep a state instead (Mamba), some turn positions by the length of the text: there every sequence is
        read whole.
        """
        return self._model.reuse(self._n_first + self._n_second) is Reuse.KEYS_AND_VALUES

    def logits(
        self,
        first: Int[Tensor, "row first"],
        seconds: Sequence[Int[Tensor, "row second"]],
        places: Sequence[int],
    ) -> Iterator[Float[Tensor, "row place d_vocab"]]:
        """For each of `seconds` in turn the logits at some places of it, every row after the same row of `first`.

        Place 0 is a second half's first token: its logits predict the token at place 1. In the model's dtype, from
        its own forward pass (caps and scales of logits included).
        """
        layers = self._model.keys_and_values(first) if self.is_shared else None
        for second in seconds:
            if layers is None:
                yield self._whole(first, second, places)
            else:
                yield self._after(layers, second, places)

    def rows_per_pass(self, n_places: int, most: int) -> int:
        """How many rows fit in memory, at least 1 and at most `most`."""
        logits = n_places * self._model.d_vocab * (torch.empty((), dtype=self._model.dtype).element_size() + 4)
        if not self._keeps_some:
            logits *= (self._n_first + self._n_second) // max(1, n_places) + 1
        each = bytes_per_row(self._model, self._n_first, self._n_second) + logits
        return max(1, min(most, memory_budget(self._model.device) // each))

    def n_positions(self, n_rows: int, n_seconds: int) -> int:
        """Token positions that go through the model for so many rows of `first` and so many `seconds`."""
        if self.is_shared:
            return n_rows * (self._n_first + n_seconds * self._n_second)
        return n_rows * n_seconds * (self._n_first + self._n_second)

    def _after(
        self, layers: Layers, second: Int[Tensor, "row second"], places: Sequence[int]
    ) -> Float[Tensor, "row place d_vocab"]:
        cache = DynamicCache()
        for number, (keys, values) in enumerate(layers):
            # The layer is made for these keys without copying them; what the pass appends goes elsewhere.
            cache.update(keys[:, :, :0], values[:, :, :0], number)
            layer: Any = cache.layers[number]
            layer.keys, layer.values = keys, values
        return self._run(second, places, past_key_values=cache, use_cache=True)

    def _whole(
        self, first: Int[Tensor, "row first"], second: Int[Tensor, "row second"], places: Sequence[int]
    ) -> Float[Tensor, "row place d_vocab"]:
        shifted = [self._n_first + place for place in places]
        return self._run(torch.cat([first, second], dim=1), shifted, use_cache=False)

    def _run(
        self, tokens: Int[Tensor, "row pos"], places: Sequence[int], **options: Any
    ) -> Float[Tensor, "row place d_vocab"]:
        kept = torch.tensor(list(places), device=self._model.device)
        some = {"logits_to_keep": kept} if self._keeps_some else {}
        with torch.inference_mode():
            out: Tensor = self._model.backend(input_ids=tokens.to(self._model.device), **some, **options).logits
        return out if self._keeps_some else out[:, kept]
