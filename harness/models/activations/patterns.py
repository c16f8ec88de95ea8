"""Which hooks carry what every layer's attention makes: its patterns, its heads' outputs, queries and keys."""

import re

from harness.models.loaded import LoadedModel


def pattern_hooks(model: LoadedModel) -> dict[int, str]:
    """The hook of every layer's attention pattern by the layer's number; empty for a model without attention."""
    return _hooks_by_layer(model, "hook_pattern")


def head_output_hooks(model: LoadedModel) -> dict[int, str]:
    """The hook of every layer's head outputs [batch pos head d_head] by the layer's number; empty without attention."""
    return _hooks_by_layer(model, "hook_z")


def key_hooks(model: LoadedModel) -> dict[int, str]:
    """The hook of every layer's keys [batch pos key_head d_head], before positions turn them, by the layer's number."""
    return _hooks_by_layer(model, "hook_k")


def query_hooks(model: LoadedModel) -> dict[int, str]:
    """The hook of every layer's queries [batch pos head d_head], before positions turn them, by the layer's number."""
    return _hooks_by_layer(model, "hook_q")


def _hooks_by_layer(model: LoadedModel, point: str) -> dict[int, str]:
    name = re.compile(rf"blocks\.(\d+)\.attn\.{point}")
    return dict(sorted((int(match[1]), match[0]) for hook in model.hook_names if (match := name.fullmatch(hook))))
