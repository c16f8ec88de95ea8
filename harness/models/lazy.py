"""A model that boots when it is first run: what a store already answers needs no weights."""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.models._device import resolve_device
from harness.models._in_memory import fingerprint
from harness.models.bridge import boot
from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity
from harness.models.loaded import NO_EDITS, NO_REDUCERS, LoadedModel, ModelStructure

logger = logging.getLogger(__name__)


@runtime_checkable
class Structures(Protocol):
    """Remembers the structure of models seen before."""

    def structure(self, fingerprint: str) -> ModelStructure | None:
        """The structure of that model; None when it was never seen."""
        ...

    def remember(self, fingerprint: str, structure: ModelStructure) -> None:
        """Keep it for the next process."""
        ...


class LazyModel(LoadedModel):
    """A `LoadedModel` that boots on its first pass, or when something is needed that is not cached."""

    def __init__(
        self,
        boot: Callable[[], LoadedModel],
        fingerprint: str,
        device: str,
        dtype: torch.dtype,
        structures: Structures | None,
    ) -> None:
        self._boot = boot
        self._fingerprint = fingerprint
        self._device, self._dtype = device, dtype
        self._structures = structures
        self._structure = structures.structure(fingerprint) if structures is not None else None
        self._model: LoadedModel | None = None

    @property
    def is_booted(self) -> bool:
        """Whether the weights are in memory."""
        return self._model is not None

    @property
    def booted(self) -> LoadedModel:
        """The model itself, booted now if it was not."""
        if self._model is None:
            logger.info("booting the model")
            self._model = self._boot()
            if self._structures is not None and self._structure is None:
                self._structures.remember(self._fingerprint, self._model.structure)
            self._structure = self._model.structure
        return self._model

    @property
    def structure(self) -> ModelStructure:
        """Names and sizes; boots only when they are not remembered."""
        return self._structure if self._structure is not None else self.booted.structure

    @property
    def fingerprint(self) -> str:
        """As of the booted model."""
        return self._fingerprint

    @property
    def device(self) -> str:
        """Where it runs, or would."""
        return self._device if self._model is None else self._model.device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self._dtype

    def forward(
        self,
        tokens: Int[Tensor, "batch pos"],
        reducers: Mapping[str, Callable[[Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[Tensor], Tensor]] = NO_EDITS,
    ) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits of one pass; boots. See `LoadedModel.forward`."""
        return self.booted.forward(tokens, reducers, edits)

    def embedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """The embedding's rows; boots."""
        return self.booted.embedding()

    def unembedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """The unembedding's rows; boots."""
        return self.booted.unembedding()

    def head_output_weights(self, layer: int) -> Float[Tensor, "head d_head d_model"] | None:
        """As of the booted model; boots."""
        return self.booted.head_output_weights(layer)

    def close(self) -> None:
        """Let go of the weights, if they were ever loaded; a later pass boots again."""
        model, self._model = self._model, None
        if model is not None:
            model.close()


def lazy_model(identity: ModelIdentity, config: ModelConfig, structures: Structures | None = None) -> LazyModel:
    """The model of a config, not booted yet.

    Raises `Rejected` for a device this machine does not have; everything else shows when it boots.
    """

    device = "cpu" if config.device_map is not None else resolve_device(config)
    dtype = getattr(torch, config.dtype.value)
    return LazyModel(lambda: boot(identity, config), fingerprint(identity, config), device, dtype, structures)
