"""A plain causal language model, loaded without hooks: for behaviour, only its answers count."""

import inspect
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, LinearAttentionCacheLayerMixin

from harness.errors import RunFailed
from harness.models._device import resolve_device
from harness.models._in_memory import lend
from harness.models._loading import free_memory, input_rows, loading, output_rows, require_causal
from harness.models.answers._continuation import (
    CachedContinuation,
    Continuation,
    Prefix,
    StatefulContinuation,
    WholeContinuation,
)
from harness.models.answers.requirements import require_plain_weights
from harness.models.config import ModelConfig
from harness.models.config_file import load_config_file
from harness.models.identity import ModelIdentity
from harness.models.loaded import LanguageModel

logger = logging.getLogger(__name__)

# More tokens than the convolution of a state model reaches back.
_TRIED = 10
# How far the logits may differ, relative to the largest, with a reused prefix and without: rounding only.
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.03}


class CausalModel(LanguageModel):
    """A causal language model ready to answer. `backend` is one of transformers' causal models, on its device."""

    def __init__(self, backend: Any, n_ctx: int | None = None) -> None:
        self._backend: Any = backend.eval()
        # With a pad id set, transformers inspects every batch for padding; nothing is ever padded here.
        backend.config.pad_token_id = None
        first = next(backend.parameters())
        self._device, self._dtype, self._n_ctx = str(first.device), first.dtype, n_ctx
        accepted = inspect.signature(backend.forward).parameters
        self._keep_last: dict[str, int] = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    @classmethod
    def load(cls, identity: ModelIdentity, config: ModelConfig) -> "CausalModel":
        """The model a config names, its raw weights. Raises `Rejected` for weights that cannot be loaded."""
        require_plain_weights(config)
        file = load_config_file(identity, config.trust_remote_code)
        require_causal(identity, file)
        with loading(identity, config):
            backend = _load_backend(identity, config)
        lend(identity, config, backend)
        return cls(backend, config.n_ctx if config.n_ctx is not None else file.n_ctx)

    @property
    def device(self) -> str:
        """Where tokens go in."""
        return self._device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self._dtype

    @property
    def tolerance(self) -> float:
        """How far logits may differ, relative to the largest, where they are computed in two ways: rounding only."""
        return _TOLERANCE.get(self.dtype, 0.1)

    @property
    def n_ctx(self) -> int | None:
        """Longest sequence, `model.n_ctx` taken into account; None where nothing states one."""
        return self._n_ctx

    @property
    def d_vocab(self) -> int:
        """Width of the logits."""
        return int(self.unembedding().shape[0])

    @property
    def backend(self) -> Any:
        """transformers' model itself, for comparisons with its own `generate`. Raises `RunFailed` once closed."""
        if self._backend is None:
            raise RunFailed("the model was closed")
        return self._backend

    def embedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """Input rows, the model's own memory."""
        return input_rows(self.backend)

    def unembedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """Output rows, one per token, the model's own memory. Raises `RunFailed` for a model without such a matrix."""
        return output_rows(self.backend)

    def logits(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits at every position, in the model's dtype."""
        self._refuse_longer(tokens.shape[1])
        self._refuse_unknown(tokens)
        with torch.inference_mode():
            out: Tensor = self.backend(input_ids=tokens.to(self.device), use_cache=False).logits
        return out

    def embed(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_model"]:
        """The rows that go into the first block for these ids, apart from the graph that computed them."""
        self._refuse_unknown(tokens)
        rows: Tensor = self.backend.get_input_embeddings()(tokens).detach()
        return rows

    def last_logits(self, tokens: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch d_vocab"]:
        """Logits at the last position alone, which is all that is computed where the architecture allows it."""
        self._refuse_longer(tokens.shape[1])
        self._refuse_unknown(tokens)
        with torch.inference_mode():
            out: Tensor = self.backend(input_ids=tokens.to(self.device), use_cache=False, **self._keep_last).logits
        return out[:, -1]

    def last_logits_of_rows(self, rows: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch d_vocab"]:
        """The same for rows of the embedding in place of ids, with gradients where they are enabled."""
        out: Tensor = self.backend(inputs_embeds=rows, use_cache=False, **self._keep_last).logits
        return out[:, -1]

    def prefix(self, ids: Sequence[int]) -> Prefix:
        """What `begin` needs to know of a common beginning: its keys and values, or only its ids."""
        self._refuse_unknown(torch.tensor(list(ids), dtype=torch.long))
        layers = self._keys_and_values(ids) if ids and self.reuses_prefixes else None
        return Prefix(tuple(ids), layers)

    def begin(self, prefix: Prefix, rest: Int[Tensor, "batch pos"]) -> Continuation:
        """Read `prefix` followed by each row of `rest`; the answer to each is ready to be decoded."""
        self._refuse_longer(len(prefix.ids) + rest.shape[1])
        self._refuse_unknown(rest)
        rest = rest.to(self.device)
        if self.reuses_prefixes:
            return CachedContinuation(self.backend, prefix, rest, self._keep_last)
        if self.state_argument is not None:
            return StatefulContinuation(self.backend, prefix, rest, self._keep_last, self.state_argument)
        return WholeContinuation(self.backend, prefix, rest, self._keep_last)

    @cached_property
    def reuses_prefixes(self) -> bool:
        """Whether keys and values of a common beginning can stand in for reading it again.

        Tried once on this very model, since architectures differ in what they keep (Mamba has no keys).
        """
        tokens = torch.arange(6, device=self.device)[None] % self.d_vocab
        layers = self._keys_and_values(tokens[0, :3].tolist())
        if layers is None:
            return False
        cached = CachedContinuation(
            self.backend, Prefix((0, 1, 2), layers), tokens[:, 3:5].repeat(2, 1), self._keep_last
        )
        reused = cached.step(tokens[:, 5].repeat(2)).float()[0]
        whole = self.logits(tokens)[0, -1].float()
        faithful = (reused - whole).abs().max() <= _TOLERANCE.get(self.dtype, 0.1) * whole.abs().max()
        if not faithful:
            logger.warning("this model's keys and values cannot be reused: every prompt is read whole")
        return bool(faithful)

    @cached_property
    def state_argument(self) -> str | None:
        """The name of the argument that takes up a state the model gave before; None where that can't be trusted.

        For models whose beginnings can't be shared (Mamba), so that at least no answer reads its prompt again at every
        token. Tried once on this very model, with rows dropped, doubled and reordered on the way.
        """
        accepted = inspect.signature(self.backend.forward).parameters
        named = next((name for name in ("cache_params", "past_key_values") if name in accepted), None)
        tokens = torch.arange(_TRIED, device=self.device).repeat(2, 1) % self.d_vocab
        tokens[1] = tokens[1].flip(0)
        if named is None or not self._gives_state(named, tokens):
            return None
        order = torch.tensor([1, 0, 1], device=self.device)
        flow = StatefulContinuation(self.backend, Prefix((), None), tokens[:, :-2], self._keep_last, named)
        flow.keep(order)
        found = [flow.step(tokens[order, place]) for place in (-2, -1)]
        whole = self.logits(tokens)[order].float()
        allowed = _TOLERANCE.get(self.dtype, 0.1) * float(whole.abs().max())
        off = max(float((found[place].float() - whole[:, place]).abs().max()) for place in (-2, -1))
        if off > allowed:
            logger.warning("this model's state cannot be reused: every answer is read from its beginning at each token")
            return None
        return named

    def close(self) -> None:
        """Let go of the weights; safe to call twice."""
        self._backend = None
        free_memory()

    def _gives_state(self, named: str, tokens: Int[Tensor, "batch pos"]) -> bool:
        """Whether all that the model keeps of rows is in the cache it gives, as states or keys and values."""
        with torch.inference_mode():
            out = self.backend(input_ids=tokens, use_cache=True, **self._keep_last)
        cache = out.get(named)
        if not isinstance(cache, Cache) or not cache.layers:
            return False
        return all(isinstance(layer, (LinearAttentionCacheLayerMixin, DynamicLayer)) for layer in cache.layers)

    def _keys_and_values(self, ids: Sequence[int]) -> list[tuple[Tensor, Tensor]] | None:
        """Keys and values [1 head pos d_head] of every layer; None for a model that keeps something else."""

        with torch.inference_mode():
            out = self.backend(torch.tensor([list(ids)], device=self.device), use_cache=True, **self._keep_last)
        cache = getattr(out, "past_key_values", None)
        if not isinstance(cache, DynamicCache) or not cache.layers:
            return None
        layers: list[Any] = [
            layer for layer in cache.layers if isinstance(layer, DynamicLayer) and layer.is_initialized
        ]
        if len(layers) < len(cache.layers) or any(layer.keys.shape[-2] != len(ids) for layer in layers):
            return None
        return [(layer.keys, layer.values) for layer in layers]


def _load_backend(identity: ModelIdentity, config: ModelConfig) -> Any:
    placed = {"device_map": config.device_map} if config.device_map is not None else {}
    backend: Any = AutoModelForCausalLM.from_pretrained(
        identity.location,
        revision=identity.revision,
        dtype=getattr(torch, config.dtype.value),
        trust_remote_code=config.trust_remote_code,
        local_files_only=identity.path is not None,
        **placed,
    )
    return backend if config.device_map is not None else backend.to(resolve_device(config))
