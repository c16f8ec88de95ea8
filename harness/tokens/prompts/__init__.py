"""The exact prompts of the glitch-token literature, with the token under study spliced in by id."""

from harness.tokens.prompts._answers import expected_answer
from harness.tokens.prompts._building import Encode, build_prompt, splice
from harness.tokens.prompts._templates import (
    ASKED_WORDINGS,
    BENCHMARK_REPETITION,
    ECHOED_WORDINGS,
    GLITCHHUNTER_SPELLING_PAPER_PREFIX,
    MAGIKARP_INPUT_OUTPUT_SHOTS,
    MAGIKARP_REPEATS_SHOTS,
    SHOT_WORDS,
    SLOT,
    TEMPLATES,
    WITH_EXAMPLES,
    ChatForm,
    PromptTemplate,
    Task,
    TaskFamily,
    input_output_template,
    prompt_versions,
    version_stamp,
    wording_versions,
)

__all__ = [
    "ASKED_WORDINGS",
    "BENCHMARK_REPETITION",
    "ECHOED_WORDINGS",
    "GLITCHHUNTER_SPELLING_PAPER_PREFIX",
    "MAGIKARP_INPUT_OUTPUT_SHOTS",
    "MAGIKARP_REPEATS_SHOTS",
    "SHOT_WORDS",
    "SLOT",
    "TEMPLATES",
    "WITH_EXAMPLES",
    "ChatForm",
    "Encode",
    "PromptTemplate",
    "Task",
    "TaskFamily",
    "build_prompt",
    "expected_answer",
    "input_output_template",
    "prompt_versions",
    "splice",
    "version_stamp",
    "wording_versions",
]
