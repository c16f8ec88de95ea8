"""Choices in how a prompt is written for a model."""

from enum import Enum


class BosRule(Enum):
    """Whether prompts begin with the beginning-of-sequence token."""

    AUTO = "auto"
    """Where the tokenizer puts one in front by itself, or where the model's training is known to have."""
    ALWAYS = "always"
    NEVER = "never"


class ChatRule(Enum):
    """Whether prompts go through the tokenizer's chat template."""

    AUTO = "auto"
    """Where the tokenizer has one."""
    NEVER = "never"
