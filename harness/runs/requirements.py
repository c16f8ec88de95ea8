"""What experiments on behaviour refuse before any weights are loaded."""

from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.models.tokenizers import Tokenizer
from harness.runs.experiment import CheckContext


def require_plain_weights(config: ModelConfig) -> None:
    """Raises `Rejected` for compatibility mode: folded weights are TransformerLens' own, answers are the model's."""
    if config.compatibility_mode:
        raise Rejected.key("model.compatibility_mode", True, "false here: answers are those of the weights as shipped")


def require_tokenizer(context: CheckContext) -> Tokenizer:
    """The tokenizer; raises `Rejected` where prompts cannot be written for want of one."""
    if context.tokenizer is None:
        raise Rejected(
            f"tokenizer.name: got nothing, and {context.config.model.name} comes without a tokenizer; "
            "allowed: a folder or hub name, since prompts are written as text"
        )
    return context.tokenizer
