"""Runs a model once and keeps the requested activations, or takes them from the store."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

from harness.errors import RunFailed
from harness.models.activations.request import ActivationRequest, matching_names
from harness.models.activations.store import LOGITS, ActivationStore
from harness.models.loaded import LoadedModel

logger = logging.getLogger(__name__)

LogitsReducer = Callable[[Tensor], Mapping[str, Tensor]]
"""Called with the logits [batch pos d_vocab] right after the pass; returns what is kept of them, by name."""


@dataclass(frozen=True)
class Captured:
    """What was kept, on the CPU."""

    reduced: dict[str, Tensor] = field(default_factory=dict)
    """By `ActivationRequest.key`: the hook name, with `#label` where the request has one."""
    logits: dict[str, Tensor] = field(default_factory=dict)
    from_store: bool = False
    """True when the model was not run."""


def capture(
    model: LoadedModel,
    tokens: Int[Tensor, "batch pos"],
    requests: Sequence[ActivationRequest] = (),
    logits: LogitsReducer | None = None,
    store: ActivationStore | None = None,
) -> Captured:
    """Reduce the requested activations of one pass while it runs; nothing else is kept.

    Reducers see contiguous tensors, on the model's device when it runs and on the CPU when they come from the store.
    With a store, raw activations and logits are kept there, and a pass whose every piece is there is not run.
    Raises `Rejected` for a hook that matches nothing, `RunFailed` for one that exists and does not fire just once.
    """
    wanted = _wanted(model, requests)
    if store is not None:
        stored = _from_store(store, model.fingerprint, tokens, wanted, logits)
        if stored is not None:
            return stored
    reduced: dict[str, Tensor] = {}
    seen: dict[str, int] = dict.fromkeys(wanted, 0)

    def reader(name: str) -> Callable[[Tensor], None]:
        def read(activation: Tensor) -> None:
            seen[name] += 1
            # Contiguous, as it comes from the store, so that a reducer sums in the same order either way.
            activation = activation.contiguous()
            if store is not None and not store.has(model.fingerprint, tokens, name):
                store.save(model.fingerprint, tokens, name, activation)
            for request in wanted[name]:
                reduced[request.key(name)] = _own(request.reduce(activation, name), activation)

        return read

    with torch.inference_mode():
        output = model.forward(tokens, {name: reader(name) for name in wanted})
        _check_fired(seen)
        # Before they are reduced: a reducer may work in place.
        if store is not None and logits is not None and not store.has(model.fingerprint, tokens, LOGITS):
            store.save(model.fingerprint, tokens, LOGITS, output)
        kept = _reduced_logits(output, logits)
    del output
    # Results leave inference mode, so that they can be changed in place like any other tensor.
    return Captured(_plain(reduced), _plain(kept))


def check_logits(logits: Tensor) -> None:
    """Refuse logits [batch pos d_vocab] that hold NaN or infinity; costs one read, and no array of their size.

    Raises `RunFailed` naming the first bad sequence and position. Logits of minus infinity are let through as long
    as another of that position is finite: some models mask ids so.
    """
    bad = ~torch.isfinite(logits.amax(dim=-1))
    if bool(bad.any()):
        sequence, position = (int(i) for i in bad.nonzero()[0])
        raise RunFailed(
            f"the model's logits are not finite ({int(bad.sum())} of {bad.numel()} positions, the first at sequence "
            f"{sequence}, position {position}): damaged weights, or too narrow a dtype (try model.dtype=float32)"
        )


def _wanted(model: LoadedModel, requests: Sequence[ActivationRequest]) -> dict[str, list[ActivationRequest]]:
    wanted: dict[str, list[ActivationRequest]] = {}
    keys: set[str] = set()
    for request in requests:
        for name in matching_names(request.hook, model.hook_names):
            if request.key(name) in keys:
                raise ValueError(f"{request.key(name)!r} is asked for twice: give the requests different labels")
            keys.add(request.key(name))
            wanted.setdefault(name, []).append(request)
    return wanted


def _from_store(
    store: ActivationStore,
    fingerprint: str,
    tokens: Int[Tensor, "batch pos"],
    wanted: Mapping[str, Sequence[ActivationRequest]],
    logits: LogitsReducer | None,
) -> Captured | None:
    """Everything requested, from the store; None as soon as one piece is absent or damaged."""
    names = [*wanted, *([LOGITS] if logits is not None else [])]
    if not names or not all(store.has(fingerprint, tokens, name) for name in names):
        return None
    reduced: dict[str, Tensor] = {}
    kept: Mapping[str, Tensor] = {}
    with torch.inference_mode():
        for name in names:
            activation = store.load(fingerprint, tokens, name)
            if activation is None:
                return None
            if name == LOGITS:
                kept = _reduced_logits(activation, logits)
                continue
            for request in wanted[name]:
                reduced[request.key(name)] = _own(request.reduce(activation, name), activation)
    return Captured(_plain(reduced), _plain(kept), from_store=True)


def _reduced_logits(output: Tensor, logits: LogitsReducer | None) -> dict[str, Tensor]:
    if logits is None:
        return {}
    return {name: _own(tensor, output) for name, tensor in logits(output).items()}


def _own(result: Tensor, source: Tensor) -> Tensor:
    """A result in memory of its own: a view would keep the whole activation alive, and change with it."""
    shares = result.untyped_storage().data_ptr() == source.untyped_storage().data_ptr()
    return result.clone(memory_format=torch.contiguous_format) if shares else result


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}


def _check_fired(seen: Mapping[str, int]) -> None:
    for name, count in seen.items():
        if count == 0:
            raise RunFailed(f"hook {name!r} exists but never fires in this architecture: ask for another one")
        if count > 1:
            raise RunFailed(f"hook {name!r} fires {count} times in one pass: which of them is meant cannot be said")
