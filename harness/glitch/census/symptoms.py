"""The five ways a wrong answer can look (Li et al. 2024, arXiv 2404.09894, section "unexpected behaviours").

The source gives names and examples; these rules are ours, tried in this order on the answer's first line:

1. Length task: every wrong answer is a hallucinatory completion, as in the source ("Length must be a number").
2. Question repetition: four words in a row of the question (the token left out), or a new "Question:".
3. Incapability: one of the phrases of a refusal.
4. Random characters: nothing, a character that does not decode, or fewer than half of the visible characters are
   letters or digits (hyphens of a spelling left out).
5. Spelling mistakes: the letters begin with the same three as the right ones, or are at least 0.6 alike (twice the
   letters in common, in order, over the letters of both).
6. Else: hallucinatory completion.
"""

import re
from difflib import SequenceMatcher
from enum import Enum

from harness.glitch.census.matching import first_line
from harness.tokens.prompts import Task

_ALIKE = 0.6
_SAME_BEGINNING = 3
_WORDS_IN_A_ROW = 4
_REFUSAL = re.compile(
    r"\b(sorry|apologi[sz]e|unable to|not able to|cannot|can't|can not|could not|couldn't|don't understand"
    r"|do not understand|don't know|do not know|not sure|as an ai|no meaning|not a valid|invalid|didn't provide"
    r"|did not provide|please provide|please clarify)\b",
    re.IGNORECASE,
)


class Symptom(Enum):
    """How a wrong answer looks."""

    SPELLING_MISTAKE = "spelling_mistake"
    INCAPABILITY = "incapability"
    HALLUCINATORY_COMPLETION = "hallucinatory_completion"
    QUESTION_REPETITION = "question_repetition"
    RANDOM_CHARACTERS = "random_characters"


def classify_symptom(task: Task, question: str, text: str | None, answer: str) -> Symptom:
    """The symptom of a wrong answer; `question` is the prompt's text, `text` the token's own (None: it has none)."""
    if task is Task.LENGTH:
        return Symptom.HALLUCINATORY_COMPLETION
    line = first_line(answer)
    if _repeats(question, line):
        return Symptom.QUESTION_REPETITION
    if _REFUSAL.search(line):
        return Symptom.INCAPABILITY
    if _is_noise(line):
        return Symptom.RANDOM_CHARACTERS
    if text is not None and _nearly(text, line):
        return Symptom.SPELLING_MISTAKE
    return Symptom.HALLUCINATORY_COMPLETION


def _repeats(question: str, line: str) -> bool:
    if line.casefold().startswith("question:"):
        return True
    question_words, answer_words = (re.findall(r"[^\W\d_]+", part.casefold()) for part in (question, line))
    runs = {tuple(question_words[i : i + _WORDS_IN_A_ROW]) for i in range(len(question_words) - _WORDS_IN_A_ROW + 1)}
    return any(
        tuple(answer_words[i : i + _WORDS_IN_A_ROW]) in runs for i in range(len(answer_words) - _WORDS_IN_A_ROW + 1)
    )


def _is_noise(line: str) -> bool:
    visible = [sign for sign in line if not sign.isspace() and sign != "-"]
    if not visible or "�" in line:
        return True
    return sum(sign.isalnum() for sign in visible) < len(visible) / 2


def _nearly(text: str, line: str) -> bool:
    right, given = (re.sub(r"[\W_]", "", part.casefold()) for part in (text, line))
    if len(right) < 2 or not given:
        return False
    if len(right) > _SAME_BEGINNING and right[:_SAME_BEGINNING] == given[:_SAME_BEGINNING]:
        return True
    return SequenceMatcher(None, right, given, autojunk=False).ratio() >= _ALIKE
