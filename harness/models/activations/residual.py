"""Which hooks carry the residual stream as every block leaves it."""

import re

from harness.models.loaded import LoadedModel

_NAME = re.compile(r"blocks\.(\d+)\.hook_resid_post")


def residual_hooks(model: LoadedModel) -> dict[int, str]:
    """The hook of every block's residual stream [batch pos d_model] by its number; empty where there are none."""
    return dict(sorted((int(match[1]), match[0]) for hook in model.hook_names if (match := _NAME.fullmatch(hook))))
