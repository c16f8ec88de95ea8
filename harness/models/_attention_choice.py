"""Which of transformers' attention implementations a plain model is asked with, where the bridge has set another."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def right_attention(backend: Any) -> str:
    """The implementation that transformers itself takes for a model: the one whose answers count everywhere else."""
    return "sdpa" if getattr(backend, "_supports_sdpa", False) else "eager"


@contextmanager
def attending_rightly(backend: Any, is_placed: bool) -> Iterator[Any]:
    """A model with the parameters of `backend` that attends as `right_attention` says.

    It is `backend` itself within the block where its attention can be exchanged, else a second set of modules around
    the same parameters. `is_placed`: modules spread over devices carry hooks, and are asked as they are.
    """
    now, right = backend.config._attn_implementation, right_attention(backend)
    if now == right or is_placed:
        yield backend
    elif backend._can_set_attn_implementation():
        backend.set_attn_implementation(right)
        try:
            yield backend
        finally:
            backend.set_attn_implementation(now)
    else:
        yield _rebuilt(backend, right)


def _rebuilt(backend: Any, attention: str) -> Any:
    """Modules of the same class that bind another attention when they are made, on the parameters of `backend`."""
    config = copy.deepcopy(backend.config)
    with torch.device("meta"):
        twin = type(backend)._from_config(config, attn_implementation=attention)
    theirs = dict(backend.named_modules())
    for name, module in twin.named_modules():
        module._parameters.update(theirs[name]._parameters)
        module._buffers.update(theirs[name]._buffers)
    return twin.eval()
