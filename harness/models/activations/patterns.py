"""Which hooks of a model carry its attention patterns."""

import re

from harness.models.loaded import LoadedModel

_PATTERN = re.compile(r"blocks\.(\d+)\.attn\.hook_pattern")


def pattern_hooks(model: LoadedModel) -> dict[int, str]:
    """The hook of every layer's attention pattern by the layer's number; empty for a model without attention."""
    found = {int(match[1]): name for name in model.hook_names if (match := _PATTERN.fullmatch(name))}
    return dict(sorted(found.items()))
