"""What experiments on behaviour refuse before any weights are loaded."""

from harness.errors import Rejected
from harness.models.config import ModelConfig


def require_plain_weights(config: ModelConfig) -> None:
    """Raises `Rejected` for compatibility mode: folded weights are TransformerLens' own, answers are the model's."""
    if config.compatibility_mode:
        raise Rejected.key("model.compatibility_mode", True, "false here: answers are those of the weights as shipped")
