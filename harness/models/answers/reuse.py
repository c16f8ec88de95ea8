"""What of a beginning that was read need not be read again: tried on the very model, at the lengths it is used for.

Architectures differ in what they keep, and with some it depends on the length: a layer with a sliding window keeps only
what the window holds, a rotary scaling may turn every position otherwise once a text is long. What was right for six
tokens says nothing about sixty, so each new length is tried before anything of that length is trusted.
"""

import inspect
import logging
import math
from enum import Enum
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import (
    Cache,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    LinearAttentionCacheLayerMixin,
)

from harness.models.answers._continuation import CachedContinuation, Continuation, Prefix, StatefulContinuation

logger = logging.getLogger(__name__)

# Lengths are rounded up, so that prompts of nearly one length need one trial.
_STEP = 32
# At the end of a trial: tokens read with the beginning already known, then tokens appended one by one.
_READ, _APPENDED = 2, 2
_TAIL = _READ + _APPENDED
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.03}
"""How far logits may differ, relative to the largest, where they are computed in two ways: rounding only."""
# Rotary scalings whose angles depend on how long the text is: what was turned before it grew is turned otherwise after.
_TURN_WITH_LENGTH = ("dynamic", "longrope")
_STATE_ARGUMENTS = ("cache_params", "past_key_values")


Layers = list[tuple[Tensor, Tensor]]
"""Keys and values [row head pos d_head] of every layer."""


class Reuse(Enum):
    """What stands in for reading a beginning again."""

    KEYS_AND_VALUES = "keys_and_values"
    """Of every position: a beginning is shared by all prompts that have it."""
    STATE = "state"
    """What the model itself keeps of a row: each prompt is read once."""
    NOTHING = "nothing"
    """Every row is read from its beginning at each step."""


class ReuseTrials:
    """Tries what a model's cache is good for; each answer is kept."""

    def __init__(self, backend: Any, keep_last: dict[str, int], n_rows: int, n_ctx: int | None) -> None:
        """`keep_last`: the argument that asks for the last logits alone, if there is one; `n_rows`: ids there are."""
        self._backend, self._keep_last, self._n_rows, self._n_ctx = backend, keep_last, n_rows, n_ctx
        first = next(backend.parameters())
        self._device, self._dtype = first.device, first.dtype
        self._found: dict[int, Reuse] = {}
        self._turns_from = _longest_unscaled(backend.config)
        accepted = inspect.signature(backend.forward).parameters
        self.state_argument = next((name for name in _STATE_ARGUMENTS if name in accepted), None)
        """The name by which the model takes and gives what it keeps; None for one that gives nothing."""

    def reuse(self, n_pos: int) -> Reuse:
        """What can be reused where prompts with their answers are at most `n_pos` tokens long."""
        if n_pos > self._turns_from:
            return Reuse.NOTHING
        if any(n >= n_pos and found is Reuse.KEYS_AND_VALUES for n, found in self._found.items()):
            return Reuse.KEYS_AND_VALUES
        rounded = -(-max(n_pos, 1) // _STEP) * _STEP
        tried = int(min(rounded, self._turns_from, math.inf if self._n_ctx is None else self._n_ctx))
        if tried not in self._found:
            self._found[tried] = self._try(tried)
        return self._found[tried]

    def keys_and_values(self, rows: Int[Tensor, "row pos"]) -> Layers | None:
        """Keys and values of every layer and every position; None where not all are to be had.

        They are asked for in a cache without windows: attention masks what is out of a window, and a later row may
        still need what an earlier one has passed.
        """
        with torch.inference_mode():
            out = self._backend(
                rows.to(self._device), past_key_values=DynamicCache(), use_cache=True, **self._keep_last
            )  # fmt: skip
        layers: list[Any] = [layer for layer in out.past_key_values.layers if layer.is_initialized]
        if len(layers) < len(out.past_key_values.layers) or any(type(layer) is not DynamicLayer for layer in layers):
            return None
        if any(layer.keys.shape[-2] != rows.shape[1] for layer in layers):
            return None
        return [(layer.keys, layer.values) for layer in layers]

    def _try(self, n_pos: int) -> Reuse:
        if n_pos <= _TAIL or self.state_argument is None:
            return Reuse.NOTHING
        rows = torch.arange(n_pos, device=self._device).repeat(2, 1) % self._n_rows
        rows[1, -_TAIL:] = rows[0, :_TAIL].flip(0)
        layers = self._own_layers(rows)
        if layers and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers):
            if self._keys_are_faithful(rows):
                return Reuse.KEYS_AND_VALUES
            logger.warning(
                "this model's keys and values cannot be reused in texts of %d tokens: every prompt is read whole", n_pos
            )
        # Only what the cache itself holds can be dropped, doubled and reordered with the rows.
        kinds = (LinearAttentionCacheLayerMixin, DynamicLayer)
        if layers and all(isinstance(layer, kinds) for layer in layers):
            if self._state_is_faithful(rows, self.state_argument):
                return Reuse.STATE
            logger.warning(
                "this model's state cannot be reused in texts of %d tokens: every answer is read from its beginning at "
                "each token",
                n_pos,
            )
        return Reuse.NOTHING

    def _own_layers(self, rows: Int[Tensor, "batch pos"]) -> list[Any]:
        """The layers of the cache that the model makes by itself; empty where it gives none."""
        with torch.inference_mode():
            out = self._backend(input_ids=rows[:, :_TAIL], use_cache=True, **self._keep_last)
        cache = out.get(self.state_argument)
        return list(cache.layers) if isinstance(cache, Cache) else []

    def _keys_are_faithful(self, rows: Int[Tensor, "batch pos"]) -> bool:
        """With a beginning of nearly the whole length, and with a short one that the rest goes far beyond."""
        n_pos = rows.shape[1]
        for n_shared in {n_pos - _TAIL, max(1, n_pos // 4)}:
            ids = rows[0, :n_shared].tolist()
            layers = self.keys_and_values(rows[:1, :n_shared])
            if layers is None:
                return False
            rest = rows[:, n_shared:-_APPENDED]
            if not self._is_faithful(
                rows, CachedContinuation(self._backend, Prefix(tuple(ids), layers), rest, self._keep_last)
            ):
                return False
        return True

    def _state_is_faithful(self, rows: Int[Tensor, "batch pos"], argument: str) -> bool:
        beginning, rest = Prefix((), None), rows[:, :-_APPENDED]
        return self._is_faithful(rows, StatefulContinuation(self._backend, beginning, rest, self._keep_last, argument))

    def _is_faithful(self, rows: Int[Tensor, "batch pos"], flow: Continuation) -> bool:
        """Whether the rows' ends get the logits that reading everything gives, with rows doubled and reordered."""
        order = torch.tensor([1, 0, 1], device=self._device)
        found = [flow.logits[order]]
        flow.keep(order)
        found += [flow.step(rows[order, place]) for place in range(-_APPENDED, 0)]
        whole = self._last_logits(rows)[order]
        allowed = TOLERANCE.get(self._dtype, 0.1) * float(whole.abs().max())
        off = (torch.stack(found, dim=1).float() - whole).abs().max()
        return bool(off <= allowed)

    def _last_logits(self, rows: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch last d_vocab"]:
        n_last = _APPENDED + 1
        asked = dict.fromkeys(self._keep_last, n_last)
        with torch.inference_mode():
            logits: Tensor = self._backend(input_ids=rows, use_cache=False, **asked).logits
        return logits[:, -n_last:].float()


def _longest_unscaled(config: Any) -> float:
    """The longest text whose positions are turned independently of its length."""
    config = config.get_text_config()
    given = getattr(config, "rope_parameters", None) or {}
    by_layer_type = [inner for inner in given.values() if isinstance(inner, dict)]
    scalings = [one for one in (given, *by_layer_type) if one.get("rope_type") in _TURN_WITH_LENGTH]
    windows: list[Any] = [
        one.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
        or getattr(config, "max_position_embeddings", 0)
        for one in scalings
    ]  # fmt: skip
    return float(min(windows, default=math.inf))
