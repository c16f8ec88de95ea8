"""When an answer counts as right. The rule is part of a census: another version is another census.

Version `bounded-2`, on the answer's text up to the end of its first line that is not blank (all of it for a token that
holds a line end itself):

- Repetition, where the prompt has opened the answer with a sign: the first id is the token's, or the text up to the
  closing sign is the token's, spaces around it and upper or lower case aside.
- Repetition otherwise: the answer has the token's id, or its text without spaces around it, upper or lower case alike,
  where no letter or digit goes on at an end of it that is one ("capable" is no repetition of "cap"). Published tools
  take any substring, which one letter nearly always is. Text that does not decode counts by id only. A token of
  quotation marks, full stops or white space is in nearly every answer: it must be the first thing after the sign that
  opens the answer, or (signs) stand inside the signs that frame it.
- Spelling: the letters with hyphens between them, upper or lower case alike, with no letter, digit or hyphen before or
  after.
- Length: the first number in digits is the right one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from harness.tokens.prompts import Task, expected_answer

CENSUS_TASKS = (Task.REPETITION, Task.SPELLING, Task.LENGTH)
"""A token is a glitch token if it fails any of these (Li et al. 2024)."""

RULE_VERSION = "bounded-2"
OPENING = "'\"`´‘’“”«»„"
"""Signs that may open an answer."""
_FRAME = OPENING + "."


class MatchedBy(Enum):
    """What made an answer right."""

    NOTHING = "nothing"
    ID = "id"
    TEXT = "text"


@dataclass(frozen=True)
class Judgement:
    """One answer judged."""

    matched_by: MatchedBy
    is_substring: bool
    """Whether the published rule (any substring, or upper-cased in upper-cased) would pass it; repetition only."""

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.matched_by is not MatchedBy.NOTHING


def judge(
    task: Task,
    token_id: int,
    text: str | None,
    answer_ids: Sequence[int],
    answer: str,
    first_inside: int | None = None,
    closing: str = "",
) -> Judgement:
    """Judge `answer_ids` and their text `answer` to one task. `text` is the token's own, None where it has none.

    `first_inside`: the id right after the sign that opens the answer (the first one, where the prompt opened it), None
    where none does. `closing`: the sign that closes an answer the prompt has opened. Raises `ValueError` for a task
    that has no right answer for this text.
    """
    if task is Task.SPELLING or task is Task.LENGTH:
        expected = expected_answer(task, text or "")
        if expected is None:
            raise ValueError(f"{task.value} of {text!r} has no right answer")
        line = first_line(answer)
        right = _bounded(expected, line, "-") if task is Task.SPELLING else first_number(line) == expected
        return Judgement(MatchedBy.TEXT if right else MatchedBy.NOTHING, right)
    bare = (expected_answer(Task.REPETITION, text or "") or "").strip()
    substring = token_id in answer_ids or bool(bare and bare.upper() in answer.upper())
    if closing:
        return Judgement(_match_opened(token_id, bare, first_inside, answer.split(closing)[0]), substring)
    return Judgement(_match_open_ended(token_id, text, bare, answer_ids, answer, first_inside), substring)


def _match_opened(token_id: int, bare: str, first_inside: int | None, inside: str) -> MatchedBy:
    if first_inside == token_id:
        return MatchedBy.ID
    return MatchedBy.TEXT if bare and inside.strip().casefold() == bare.casefold() else MatchedBy.NOTHING


def _match_open_ended(
    token_id: int, text: str | None, bare: str, answer_ids: Sequence[int], answer: str, first_inside: int | None
) -> MatchedBy:
    if proves_nothing(text):
        if first_inside == token_id:
            return MatchedBy.ID
        line = first_line(answer)
        follows = len(line) > 1 and line[0] in OPENING and line[1:].startswith(bare)
        return MatchedBy.TEXT if bare and (follows or bare in _without_frame(line)) else MatchedBy.NOTHING
    if token_id in answer_ids:
        return MatchedBy.ID
    where = answer if "\n" in bare else first_line(answer)
    return MatchedBy.TEXT if bare and _bounded(bare, where, "") else MatchedBy.NOTHING


def proves_nothing(text: str | None) -> bool:
    """Whether a token is white space or the signs that answers are framed with: nearly every answer holds it."""
    return text is not None and all(sign.isspace() or sign in _FRAME for sign in text)


def first_line(answer: str) -> str:
    """The first line that is not blank, without the spaces around it."""
    return next((line.strip() for line in answer.split("\n") if line.strip()), "")


def first_number(answer: str) -> str | None:
    """The first number in digits, without leading zeros; None where there is none."""
    found = re.search(r"\d+", answer)
    return str(int(found[0])) if found else None


def _without_frame(line: str) -> str:
    line = line.rstrip(".").strip() if len(line.rstrip(".").strip()) > 1 else line
    return line[1:-1] if len(line) > 2 and line[0] in _FRAME and line[-1] in _FRAME else ""


def _bounded(wanted: str, answer: str, also: str) -> bool:
    """Whether `wanted` stands in `answer` with no letter, digit or sign of `also` going on at its ends."""
    wanted, answer = wanted.casefold(), answer.casefold()
    start = answer.find(wanted)
    while start >= 0:
        before = answer[start - 1] if start else ""
        after = answer[start + len(wanted)] if start + len(wanted) < len(answer) else ""
        if not _goes_on(before, wanted[0], also) and not _goes_on(after, wanted[-1], also):
            return True
        start = answer.find(wanted, start + 1)
    return False


def _goes_on(neighbour: str, edge: str, also: str) -> bool:
    if not neighbour:
        return False
    return neighbour in also or (neighbour.isalnum() and (edge.isalnum() or bool(also)))
