"""The prompts themselves, as text with `{token}` where the id under study goes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

SLOT = "{token}"


class TaskFamily(Enum):
    """Tasks that ask for the same skill in nearly the same words: held out of training together."""

    ECHO = "echo"
    SPELLING = "spelling"
    LENGTH = "length"
    VERIFICATION = "verification"


class Task(Enum):
    """The prompt of one task, with slots for the token."""

    REPETITION = "repetition"
    SPELLING = "spelling"
    LENGTH = "length"
    GLITCHPROBER = "glitchprober"
    GLITCHMINER = "glitchminer"
    MAGIKARP_INPUT_OUTPUT = "magikarp_input_output"
    MAGIKARP_EXPLAIN = "magikarp_explain"
    MAGIKARP_REPEATS = "magikarp_repeats"

    @property
    def family(self) -> TaskFamily:
        """The group of tasks whose held-out tokens this task shares."""
        return _FAMILIES[self]


_FAMILIES = {
    Task.REPETITION: TaskFamily.ECHO,
    Task.GLITCHPROBER: TaskFamily.ECHO,
    Task.GLITCHMINER: TaskFamily.ECHO,
    Task.SPELLING: TaskFamily.SPELLING,
    Task.LENGTH: TaskFamily.LENGTH,
    Task.MAGIKARP_INPUT_OUTPUT: TaskFamily.VERIFICATION,
    Task.MAGIKARP_EXPLAIN: TaskFamily.VERIFICATION,
    Task.MAGIKARP_REPEATS: TaskFamily.VERIFICATION,
}


@dataclass(frozen=True)
class ChatForm:
    """The same question for a model with a chat template: who says what, and how its answer is begun for it."""

    user: str
    prefill: str
    system: str = ""


@dataclass(frozen=True)
class PromptTemplate:
    """Plain prompt text with `{token}` slots; `version` changes whenever a character of it does."""

    task: Task
    version: str
    source: str
    text: str
    chat: ChatForm | None = None
    closing: str = ""
    """The sign that closes the answer, where the prompt ends by opening it: then the answer's place is known."""

    def __post_init__(self) -> None:
        if SLOT not in self.text:
            raise ValueError(f"text of {self.task.value}: got {self.text!r}, allowed: text with at least one {SLOT}")

    @property
    def n_slots(self) -> int:
        """How many times the token under study occurs in the prompt."""
        return self.text.count(SLOT)


@dataclass(frozen=True)
class _Shots:
    """Magikarp's way to write a prompt: a preamble and n solved examples of the same token that is prompted for."""

    preamble: str
    question: str
    completion: str

    def text(self, n: int) -> str:
        # The last completion is cut before its slot, so that the next token should be the token itself.
        begun = self.completion[: self.completion.index("{")]
        return self.preamble + (self.question + self.completion) * n + self.question + begun


MAGIKARP_INPUT_OUTPUT_SHOTS = _Shots(
    "This device repeats its input exactly, as shown in these 100 identical trials.",
    "\nInput: «{token}»\nOutput:",
    " «{token}»",
)
MAGIKARP_EXPLAIN_SHOTS = _Shots(
    "This helpful assistant explains what a phrase means, replying with identical responses to identical questions "
    "for reliability.",
    "\nUser: What does 'edslfkj' mean?\nAssistant: 'edslfkj' has no specific meaning I am aware of."
    "\nUser: what does '{token}' mean?\nAssistant:",
    " '{token}'",
)
MAGIKARP_REPEATS_SHOTS = _Shots(
    "Below is the output, as you can see it's just giving the same phrase repeated indefinitely:\n",
    "{token}",
    "{token}",
)

_MAGIKARP = "Land & Bartolo 2024, arXiv 2405.05417; cohere-ai/magikarp, fishing.py @0d466b27"
_GLITCHMINER = "Wu et al. 2024, arXiv 2410.15052; wooozihui/GlitchMiner @77cf15b"
_GLITCHCLEANER = "Fan et al., GlitchCleaner (AAAI-26), Table 1"

# GlitchMiner only uses a chat template. Without one, we put user text and prefill on two lines.
_MINER_USER = 'Please repeat the string: "«{token}»"'
_MINER_PREFILL = ' Sure, the string is: "«'


def input_output_template(n_shots: int) -> PromptTemplate:
    """Magikarp's echo prompt with `n_shots` trials before the one to be completed; Magikarp itself shows 20."""
    text = MAGIKARP_INPUT_OUTPUT_SHOTS.text(n_shots)
    return PromptTemplate(Task.MAGIKARP_INPUT_OUTPUT, f"magikarp-n{n_shots}-1", _MAGIKARP, text, closing="»")


TEMPLATES: dict[Task, PromptTemplate] = {
    template.task: template
    for template in (
        PromptTemplate(
            Task.REPETITION,
            "glitchhunter-baseline-1",
            "Li et al. 2024, arXiv 2404.09894, as in wooozihui/GlitchMiner @77cf15b, baseline_code/GlitchHunter",
            "Question: Please can you repeat the string '{token}' and return back to me?\n\n"
            "Answer: Of course! Here is the repeated string:",
        ),
        PromptTemplate(
            Task.SPELLING,
            "glitchcleaner-table1-1",
            _GLITCHCLEANER,
            "Question: Please can you spell out the string '{token}' with hyphens between each letter?\n"
            "Answer: Of course! The spelling of the string is:",
        ),
        PromptTemplate(
            Task.LENGTH,
            "glitchcleaner-table1-1",
            _GLITCHCLEANER,
            "Question: What is the length of this string '{token}'?\nAnswer: The length of this string is:",
        ),
        PromptTemplate(
            Task.GLITCHPROBER,
            "glitchprober-code-1",
            "Zhang et al. 2024, arXiv 2408.04905; LLM-Integrity-Guard/GlitchProber @ccefeda (code, not paper)",
            "Question: Can you repeat the string '{token}' and return back to me?\n"
            "Answer: Here is the repeated string:\n",
        ),
        PromptTemplate(
            Task.GLITCHMINER,
            "glitchminer-1",
            _GLITCHMINER,
            f"{_MINER_USER}\n{_MINER_PREFILL}",
            ChatForm(_MINER_USER, _MINER_PREFILL),
            closing="»",
        ),
        input_output_template(n_shots=20),
        PromptTemplate(Task.MAGIKARP_EXPLAIN, "magikarp-n0-1", _MAGIKARP, MAGIKARP_EXPLAIN_SHOTS.text(0)),
        PromptTemplate(Task.MAGIKARP_REPEATS, "magikarp-n50-1", _MAGIKARP, MAGIKARP_REPEATS_SHOTS.text(50)),
    )
}

BENCHMARK_REPETITION = PromptTemplate(
    Task.REPETITION,
    "benchmark-1",
    "fuad-mahee/Benchmark @6982c2d",
    "Can you repeat the string '{token}' and return it back to me? Answer: Here is the repeated string:",
    ChatForm("Can you repeat the string '{token}' and return it back to me?", "Here is the repeated string:"),
)
"""The repetition prompt of an independent comparison of detectors; it trained nothing here."""

# The paper's site begins the spelled answer in other words than the later code does; the rest of its prompt is
# unpublished.
GLITCHHUNTER_SPELLING_PAPER_PREFIX = PromptTemplate(
    Task.SPELLING,
    "glitchhunter-site-1",
    "Li et al. 2024, companion site (answer prefix); question as in GlitchCleaner, Table 1",
    "Question: Please can you spell out the string '{token}' with hyphens between each letter?\n"
    "Answer: Sure! The spelling of this string is:",
)


def prompt_versions(tasks: tuple[Task, ...]) -> dict[str, str]:
    """Versions of the tasks' prompts, for the run id: another wording is another answer."""
    return dict(version_stamp(TEMPLATES[task]) for task in tasks)


def version_stamp(template: PromptTemplate) -> tuple[str, str]:
    """Key and value under which a prompt's version enters the run id."""
    return f"prompt/{template.task.value}", template.version


SHOT_WORDS = ("house", "seven", "bright", "fox")
"""Words whose spelling and length the prompts with examples show."""


def _with_examples(template: PromptTemplate, answer: Callable[[str], str]) -> PromptTemplate:
    examples = "".join(f"{template.text.replace(SLOT, word)} {answer(word)}\n\n" for word in SHOT_WORDS)
    return replace(template, version=f"{template.version}-shots{len(SHOT_WORDS)}-1", text=examples + template.text)


WITH_EXAMPLES: dict[Task, PromptTemplate] = {
    Task.SPELLING: _with_examples(TEMPLATES[Task.SPELLING], "-".join),
    Task.LENGTH: _with_examples(TEMPLATES[Task.LENGTH], lambda word: str(len(word))),
}
"""The same questions after solved examples of other words, for models that don't follow them without."""

ASKED_WORDINGS: dict[str, PromptTemplate] = {
    "glitchhunter": TEMPLATES[Task.REPETITION],
    "glitchprober": TEMPLATES[Task.GLITCHPROBER],
    "glitchminer": TEMPLATES[Task.GLITCHMINER],
    "benchmark": BENCHMARK_REPETITION,
}
"""The published questions for a token, no example shown."""
ECHOED_WORDINGS: dict[str, PromptTemplate] = {f"echo_{n}": input_output_template(n) for n in (1, 3, 8, 20)}
"""Echoes of the token itself before the one asked for; the verification of Land & Bartolo shows 20."""


def wording_versions() -> dict[str, str]:
    """Versions of all these prompts, for the run id."""
    return {f"wording/{name}": one.version for name, one in {**ASKED_WORDINGS, **ECHOED_WORDINGS}.items()}
