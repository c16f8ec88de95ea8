"""The exact prompts of the glitch-token literature, with the token under study spliced in by id."""

from harness.tokens.prompts.answers import expected_answer
from harness.tokens.prompts.building import Encode, build_prompt, splice
from harness.tokens.prompts.templates import (
    GLITCHHUNTER_SPELLING_PAPER_PREFIX,
    TEMPLATES,
    ChatForm,
    PromptTemplate,
    Task,
    TaskFamily,
)

__all__ = [
    "GLITCHHUNTER_SPELLING_PAPER_PREFIX",
    "TEMPLATES",
    "ChatForm",
    "Encode",
    "PromptTemplate",
    "Task",
    "TaskFamily",
    "build_prompt",
    "expected_answer",
    "splice",
]
