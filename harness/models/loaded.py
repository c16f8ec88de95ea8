"""What an experiment may ask of a model that can be run. Imports torch: import this module where a model is needed."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.errors import Rejected, RunFailed

PATTERN_SUFFIX = ".attn.hook_pattern"
"""Hook names that end so carry attention patterns [batch head query key]."""

NO_REDUCERS: Mapping[str, Callable[[Tensor], None]] = MappingProxyType({})
NO_EDITS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType({})


@dataclass(frozen=True)
class ModelStructure:
    """A booted model's names and sizes; enough to plan a run, without the weights."""

    hook_names: tuple[str, ...]
    """Sorted, aliases included."""
    n_layers: int
    n_heads: int
    d_model: int
    d_vocab: int
    """Width of the logits."""
    n_ctx: int | None
    """The model's own window, whatever `model.n_ctx` narrows it to; None where nothing states one."""

    hides_attention: bool = False
    """Whether the model attends, and TransformerLens gives no hook for its patterns (RecurrentGemma)."""

    @property
    def has_attention_patterns(self) -> bool:
        """False for models without attention (Mamba): head scores do not apply to them."""
        return any(name.endswith(PATTERN_SUFFIX) for name in self.hook_names)


class LanguageModel(ABC):
    """What every model in memory has, however it is run."""

    @property
    @abstractmethod
    def device(self) -> str:
        """Where tokens go in: `cpu`, `cuda`, ..."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """What it computes in."""

    @property
    @abstractmethod
    def d_vocab(self) -> int:
        """Width of the logits."""

    @property
    @abstractmethod
    def n_ctx(self) -> int | None:
        """Longest sequence; None where nothing states one."""

    @abstractmethod
    def embedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """The embedding's rows as the model computes with them; the model's own memory."""

    @abstractmethod
    def unembedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """The unembedding's rows, one per token; the model's own memory."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the weights. Safe to call twice."""

    @property
    def is_tied(self) -> bool:
        """Whether embedding and unembedding are one matrix."""
        return self.embedding().data_ptr() == self.unembedding().data_ptr()

    def _refuse_longer(self, n_pos: int) -> None:
        if self.n_ctx is not None and n_pos > self.n_ctx:
            raise RunFailed(f"sequences of {n_pos} tokens do not fit the model's window of {self.n_ctx}")

    def _refuse_unknown(self, tokens: Int[Tensor, "*batch"]) -> None:
        n_rows = int(self.embedding().shape[0])
        if tokens.numel() == 0 or (int(tokens.max()) < n_rows and int(tokens.min()) >= 0):
            return
        beyond = torch.unique(tokens[(tokens >= n_rows) | (tokens < 0)]).tolist()
        shown = ", ".join(map(str, beyond[:5])) + (", ..." if len(beyond) > 5 else "")
        raise Rejected(
            f"tokenizer.name: the prompts hold ids that the model has no embedding for ({shown}), allowed: ids "
            f"from 0 to {n_rows - 1} (is the tokenizer, or its chat template, another model's?)"
        )


class LoadedModel(LanguageModel):
    """A model ready to run with hooks. No protocol: checking one would read `is_tied`, and so boot a lazy model."""

    @property
    @abstractmethod
    def structure(self) -> ModelStructure:
        """Names and sizes."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Equal for two models exactly when the same tokens give them the same activations."""

    @abstractmethod
    def forward(
        self,
        tokens: Int[Tensor, "batch pos"],
        reducers: Mapping[str, Callable[[Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[Tensor], Tensor]] = NO_EDITS,
    ) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits of one pass, in the model's dtype, under inference mode.

        `reducers` maps full hook names to functions called with the activation while the model runs: it is the
        model's own memory, to be read and not kept. `edits` maps them to functions whose result takes the activation's
        place, after reducers of the same hook have read it. Raises `Rejected` for an unknown hook name, `RunFailed` for
        sequences that do not fit.
        """

    def head_output_weights(self, layer: int) -> Float[Tensor, "head d_head d_model"] | None:  # noqa: ARG002
        """What turns each head's output (`hook_z`) into what it writes, before the bias that a layer's heads share.

        None where that is not known. Whoever uses it must check it: some architectures change what heads write.
        """
        return None

    @property
    def d_vocab(self) -> int:
        """Width of the logits."""
        return self.structure.d_vocab

    @property
    def n_ctx(self) -> int | None:
        """The model's own window; None where nothing states one."""
        return self.structure.n_ctx

    @property
    def n_layers(self) -> int:
        """How many blocks."""
        return self.structure.n_layers

    @property
    def n_heads(self) -> int:
        """Attention heads per block."""
        return self.structure.n_heads

    @property
    def hook_names(self) -> tuple[str, ...]:
        """Every name that activations can be asked for, sorted."""
        return self.structure.hook_names

    @property
    def has_attention_patterns(self) -> bool:
        """False for models without attention (Mamba)."""
        return self.structure.has_attention_patterns

    @property
    def no_patterns_reason(self) -> str:
        """For a model without hooks on attention patterns: why, as a part of a sentence."""
        if self.structure.hides_attention:
            return "this model attends, but TransformerLens exposes none of its attention patterns"
        return "this model has no attention patterns"
