"""Prompts that were read and are being continued token by token, with a common beginning read only once."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import DynamicCache


@dataclass(frozen=True)
class Prefix:
    """A beginning that many prompts share."""

    ids: tuple[int, ...]
    layers: list[tuple[Tensor, Tensor]] | None
    """Keys and values [1 head pos d_head] of every layer; None where the ids are read again with every prompt."""

    @property
    def n_positions(self) -> int:
        """Positions that were read once for all prompts."""
        return 0 if self.layers is None else len(self.ids)

    def expanded(self, batch: int) -> Any:
        """A cache of `batch` rows that all begin so. The rows share memory until something is appended."""

        cache = DynamicCache()
        for number, (keys, values) in enumerate(self.layers or ()):
            shape = (batch, -1, -1, -1)
            cache.update(keys[:, :, :0], values[:, :, :0], number)
            layer: Any = cache.layers[number]
            layer.keys, layer.values = keys.expand(shape), values.expand(shape)
        return cache


class Continuation(ABC):
    """Rows in decoding."""

    logits: Float[Tensor, "batch d_vocab"]
    """Of each row's last position, in the model's dtype."""
    n_positions: int = 0
    """Token positions that went through the model for these rows."""

    @abstractmethod
    def step(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch d_vocab"]:
        """Append one token to every row; returns the new `logits`."""

    @abstractmethod
    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows only."""


class CachedContinuation(Continuation):
    """Keeps keys and values: each step reads one token per row. A beginning without them is read with the rows."""

    def __init__(
        self, backend: Any, prefix: Prefix, rest: Int[Tensor, "batch pos"], keep_last: Mapping[str, int]
    ) -> None:
        self._backend, self._keep_last = backend, keep_last
        self._cache = prefix.expanded(len(rest))
        self.logits = self._read(whole_rows(prefix, rest) if prefix.layers is None else rest)

    def step(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch d_vocab"]:
        """Append one token to every row."""
        self.logits = self._read(tokens[:, None])
        return self.logits

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows only."""
        self._cache.batch_select_indices(rows)

    def _read(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch d_vocab"]:
        self.n_positions += tokens.numel()
        with torch.inference_mode():
            out = self._backend(input_ids=tokens, past_key_values=self._cache, use_cache=True, **self._keep_last)
        last: Tensor = out.logits[:, -1]
        return last


class StatefulContinuation(Continuation):
    """Keeps what the model itself keeps of a row (Mamba: a state of fixed size): each prompt is read whole, once."""

    def __init__(
        self, backend: Any, prefix: Prefix, rest: Int[Tensor, "batch pos"], keep_last: Mapping[str, int], argument: str
    ) -> None:
        """`argument`: the name by which the model takes and gives its state."""
        self._backend, self._keep_last, self._argument = backend, keep_last, argument
        self._state: Any = None
        self.logits = self._read(whole_rows(prefix, rest))

    def step(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch d_vocab"]:
        """Append one token to every row."""
        self.logits = self._read(tokens[:, None])
        return self.logits

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows only."""
        with torch.inference_mode():
            self._state.reorder_cache(rows)

    def _read(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch d_vocab"]:
        self.n_positions += tokens.numel()
        given = {} if self._state is None else {self._argument: self._state}
        with torch.inference_mode():
            out = self._backend(input_ids=tokens, use_cache=True, **given, **self._keep_last)
        self._state = out[self._argument]
        last: Tensor = out.logits[:, -1]
        return last


class WholeContinuation(Continuation):
    """Reads every row from its beginning at each step: for models that keep nothing that can be trusted."""

    def __init__(
        self, backend: Any, prefix: Prefix, rest: Int[Tensor, "batch pos"], keep_last: Mapping[str, int]
    ) -> None:
        self._backend, self._keep_last = backend, keep_last
        self._tokens = whole_rows(prefix, rest)
        self.logits = self._read()

    def step(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch d_vocab"]:
        """Append one token to every row."""
        self._tokens = torch.cat([self._tokens, tokens[:, None]], dim=1)
        self.logits = self._read()
        return self.logits

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows only."""
        self._tokens = self._tokens[rows]

    def _read(self) -> Float[Tensor, "batch d_vocab"]:
        self.n_positions += self._tokens.numel()
        with torch.inference_mode():
            out = self._backend(input_ids=self._tokens, use_cache=False, **self._keep_last)
        last: Tensor = out.logits[:, -1]
        return last


def whole_rows(prefix: Prefix, rest: Int[Tensor, "batch pos"]) -> Int[Tensor, "batch whole"]:
    """Each row with the common beginning in front."""
    beginning = torch.tensor(prefix.ids, dtype=rest.dtype, device=rest.device).expand(len(rest), -1)
    return torch.cat([beginning, rest], dim=1)
