"""The tokens that a run asked for: what was said, and the prompts in full."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RIGHT, WRONG = "right", "wrong"
"""Verdicts on one answer where it is judged as such."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as the model gets it."""

    name: str
    text: str
    """`{token}` stands where the token does."""
    note: str = ""
    """What the text does not show: a chat template, where it was published."""


@dataclass(frozen=True)
class Said:
    """One answer."""

    prompt: str
    """Name of the prompt."""
    answer: str | None
    """None where only the verdict is stored."""
    verdict: str
    is_bad: bool
    """Whether this is what one looks for: a token that is not said."""


@dataclass(frozen=True)
class TokenCard:
    """All that a run stored of one token."""

    token_id: int
    token: str
    facts: Mapping[str, Any]
    """By what each is; None where it is not known."""
    said: tuple[Said, ...]

    @property
    def n_bad(self) -> int:
        """How many answers are what one looks for."""
        return sum(said.is_bad for said in self.said)


@dataclass(frozen=True)
class Asked:
    """Every token asked, and what was asked."""

    cards: tuple[TokenCard, ...]
    prompts: tuple[Prompt, ...]


def judged_cards(
    rows: Iterable[Mapping[str, Any]],
    names: Sequence[str],
    facts: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> tuple[TokenCard, ...]:
    """Cards from rows of records.jsonl with `id`, `token` and, for every name of a prompt, `NAME/passed` and
    `NAME/answer`; a prompt that was not asked of a token (null) is left out."""
    cards = []
    for row in rows:
        said = tuple(
            Said(name, row.get(f"{name}/answer"), RIGHT if row[f"{name}/passed"] else WRONG, not row[f"{name}/passed"])
            for name in names
            if row.get(f"{name}/passed") is not None
        )
        cards.append(TokenCard(int(row["id"]), str(row["token"]), facts(row), said))
    return tuple(cards)


def prompts_of(questions: Mapping[str, Mapping[str, Any]]) -> tuple[Prompt, ...]:
    """Prompts from what details.json records of them: text, `chat`, `version`, `source`."""
    return tuple(
        Prompt(name, question["text"], _note(question)) for name, question in questions.items() if question.get("text")
    )


def _note(question: Mapping[str, Any]) -> str:
    parts = [
        "through the model's chat template" if question.get("chat") else "",
        "after the BOS token" if question.get("bos") else "",
        f"version {question['version']}" if question.get("version") else "",
        str(question.get("source") or ""),
    ]
    return "; ".join(part for part in parts if part)
