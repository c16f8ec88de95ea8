"""When an answer counts as right. The rule is part of a census: another version is another census.

Version `bounded-1`, on the answer's text up to the end of its first line that is not blank (all of it for a token that
holds a line end itself):

- Repetition: the answer has the token's id, or its text without spaces around it, upper or lower case alike, where no
  letter or digit goes on at an end of it that is one ("capable" is no repetition of "cap"). Published tools take any
  substring, which one letter nearly always is. Text that does not decode, or is white space only, counts by id only. A
  token that consists of quotation marks or full stops must stand inside the ones that frame the answer.
- Spelling: the letters with hyphens between them, upper or lower case alike, with no letter, digit or hyphen before or
  after.
- Length: the first number in digits is the right one.
"""

import re
from dataclasses import dataclass
from enum import Enum

from harness.tokens.prompts import Task, expected_answer

CENSUS_TASKS = (Task.REPETITION, Task.SPELLING, Task.LENGTH)
"""A token is a glitch token if it fails any of these (Li et al. 2024)."""

RULE_VERSION = "bounded-1"
_FRAME = "'\"`´‘’“”«»„."


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


def judge(task: Task, token_id: int, text: str | None, answer_ids: tuple[int, ...], answer: str) -> Judgement:
    """Judge `answer_ids` and their text `answer` to one task. `text` is the token's own, None where it has none.

    Raises `ValueError` for a task that has no right answer for this text.
    """
    if task is Task.SPELLING or task is Task.LENGTH:
        expected = expected_answer(task, text or "")
        if expected is None:
            raise ValueError(f"{task.value} of {text!r} has no right answer")
        line = first_line(answer)
        right = _bounded(expected, line, "-") if task is Task.SPELLING else first_number(line) == expected
        return Judgement(MatchedBy.TEXT if right else MatchedBy.NOTHING, right)
    return _judge_repetition(token_id, text, answer_ids, answer)


def _judge_repetition(token_id: int, text: str | None, answer_ids: tuple[int, ...], answer: str) -> Judgement:
    bare = (expected_answer(Task.REPETITION, text or "") or "").strip()
    by_id = token_id in answer_ids
    substring = by_id or bool(bare and bare.upper() in answer.upper())
    if bare and is_frame(bare):
        inside = _without_frame(first_line(answer))
        return Judgement(MatchedBy.TEXT if bare in inside else MatchedBy.NOTHING, substring)
    if by_id:
        return Judgement(MatchedBy.ID, True)
    where = answer if "\n" in bare else first_line(answer)
    return Judgement(MatchedBy.TEXT if bare and _bounded(bare, where, "") else MatchedBy.NOTHING, substring)


def is_frame(text: str) -> bool:
    """Whether a text consists of the signs that answers are framed with: saying it proves nothing."""
    bare = text.strip()
    return bool(bare) and all(sign in _FRAME for sign in bare)


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
