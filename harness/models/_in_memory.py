"""Weights in memory once per process: a second way of running the same model borrows the first one's parameters."""

import copy
import hashlib
import json
from importlib.metadata import version
from typing import Any
from weakref import WeakValueDictionary

from transformers.activations import GELUTanh, NewGELUActivation

from harness.models._device import resolve_device
from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity

# transformers' models that run unchanged, by fingerprint and device, while something else keeps them in memory.
_PLAIN: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()


class FusedGELU(GELUTanh):
    """Torch's one-pass GELU in place of transformers' spelt-out tanh formula: the same function up to rounding."""


class Lender:
    """Stands in for the class that TransformerLens loads weights with: hands out a model that is in memory already."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def from_pretrained(self, _location: str, *, config: Any, attn_implementation: str, **_options: Any) -> Any:
        """A model of its own with the parameters of the one in memory, as loading it with `config` would make it."""
        config = copy.deepcopy(config)
        config.dtype = self._backend.config.dtype
        # deepcopy's memo: objects under these ids are shared and not copied.
        taken = {id(parameter): parameter for parameter in self._backend.parameters()}
        twin = copy.deepcopy(self._backend, {**taken, id(self._backend.config): config})
        twin.set_attn_implementation(attn_implementation)
        _replace_activations(twin, FusedGELU, NewGELUActivation)
        return twin


def fingerprint(identity: ModelIdentity, config: ModelConfig) -> str:
    """Equal for two models exactly when the same tokens give them the same activations; hex sha256."""
    placed = config.device_map or resolve_device(config).split(":")[0]
    versions = [version(name) for name in ("torch", "transformers", "transformer-lens")]
    parts = [identity.fingerprint, config.dtype.value, placed, config.compatibility_mode, versions]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def lend(identity: ModelIdentity, config: ModelConfig, backend: Any) -> None:
    """Let later boots of the same model borrow the weights of `backend`, and fuse its activations."""
    _replace_activations(backend, NewGELUActivation, FusedGELU)
    # Models spread over devices carry hooks of the library that placed them; some bind their attention when made.
    if config.device_map is None and backend._can_set_attn_implementation() and _is_of_one_dtype(backend):
        _PLAIN[_key(identity, config)] = backend


def lender(identity: ModelIdentity, config: ModelConfig) -> Lender | None:
    """Who has the weights of this model in memory; None where they have to be read from disk."""
    backend = None if config.device_map is not None else _PLAIN.get(_key(identity, config))
    return None if backend is None else Lender(backend)


def _key(identity: ModelIdentity, config: ModelConfig) -> tuple[str, str]:
    # A fingerprint knows kinds of device only; moving the borrower to another one would move the lender's weights.
    return fingerprint(identity, config), resolve_device(config)


def _is_of_one_dtype(backend: Any) -> bool:
    """Some architectures keep a few layers in fp32, which TransformerLens would cast, and the lender's with them."""
    return len({parameter.dtype for parameter in backend.parameters() if parameter.is_floating_point()}) == 1


def _replace_activations(backend: Any, old: type, new: type) -> None:
    for module in backend.modules():
        for name, child in module.named_children():
            if type(child) is old:
                setattr(module, name, new())
