"""A plain causal language model, loaded without hooks: for behaviour, only its answers count."""

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import AutoModelForCausalLM

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
from harness.models.answers.reuse import Layers, Reuse, ReuseTrials
from harness.models.config import ModelConfig
from harness.models.config_file import load_config_file
from harness.models.identity import ModelIdentity
from harness.models.loaded import LanguageModel


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

    def prefix(self, ids: Sequence[int], n_pos: int) -> Prefix:
        """What `begin` needs to know of a common beginning: its keys and values, or only its ids.

        `n_pos`: the length of the longest prompt that begins so, its answer included.
        """
        self._refuse_unknown(torch.tensor(list(ids), dtype=torch.long))
        if self.reuse(n_pos) is not Reuse.KEYS_AND_VALUES:
            return Prefix(tuple(ids), None)
        return Prefix(tuple(ids), self.keys_and_values(torch.tensor([list(ids)])) if ids else [])

    def keys_and_values(self, rows: Int[Tensor, "row pos"]) -> Layers | None:
        """Keys and values of every position of some beginnings; None where the model does not give them all.

        Only where `reuse` says so for the length of what follows can they stand in for the beginnings.
        """
        self._refuse_unknown(rows)
        return self._trials.keys_and_values(rows)

    def begin(self, prefix: Prefix, rest: Int[Tensor, "batch pos"], n_new: int) -> Continuation:
        """Read `prefix` followed by each row of `rest`; the answer to each, at most `n_new` tokens, can be decoded."""
        n_pos = len(prefix.ids) + rest.shape[1]
        self._refuse_longer(n_pos)
        self._refuse_unknown(rest)
        rest = rest.to(self.device)
        reuse, argument = self.reuse(n_pos + n_new), self._trials.state_argument
        if reuse is Reuse.KEYS_AND_VALUES:
            return CachedContinuation(self.backend, prefix, rest, self._keep_last)
        if reuse is Reuse.STATE and argument is not None:
            return StatefulContinuation(self.backend, prefix, rest, self._keep_last, argument)
        return WholeContinuation(self.backend, prefix, rest, self._keep_last)

    def reuse(self, n_pos: int) -> Reuse:
        """What stands in for reading a beginning again, in prompts with answers of at most `n_pos` tokens.

        Tried once for a length, on this very model.
        """
        return self._trials.reuse(n_pos)

    @cached_property
    def _trials(self) -> ReuseTrials:
        return ReuseTrials(self.backend, self._keep_last, min(len(self.embedding()), self.d_vocab), self.n_ctx)

    def close(self) -> None:
        """Let go of the weights; safe to call twice."""
        self._backend = None
        self.__dict__.pop("_trials", None)
        free_memory()


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
