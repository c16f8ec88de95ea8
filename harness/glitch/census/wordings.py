"""The ladder of wordings: every way in which a census asks a model to say a token, in families of like ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.glitch.census.families import COPIED_WORDINGS, WordingFamily
from harness.glitch.census.questions import Question, make_question
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.prompts import ASKED_WORDINGS, ECHOED_WORDINGS
from harness.tokens.prompts.rules import BosRule, ChatRule


@dataclass(frozen=True)
class Wording:
    """One way of asking for a token. `question` is None for copying."""

    name: str
    family: WordingFamily
    question: Question | None


def make_wordings(
    tokenizer: Tokenizer, facts: VocabFacts, bos: BosRule = BosRule.AUTO, chat: ChatRule = ChatRule.AUTO
) -> tuple[Wording, ...]:
    """Every wording for this model: published zero-shot ones plain and through its chat template, echoes, copying."""
    found = [
        Wording(name, WordingFamily.ASKED, make_question(template, tokenizer, facts, bos, ChatRule.NEVER))
        for name, template in ASKED_WORDINGS.items()
    ]
    if tokenizer.chat_template is not None and chat is not ChatRule.NEVER:
        found += [
            Wording(f"{name}_chat", WordingFamily.ASKED, make_question(template, tokenizer, facts, bos, chat))
            for name, template in ASKED_WORDINGS.items()
        ]
    found += [
        Wording(name, WordingFamily.ECHOED, make_question(template, tokenizer, facts, bos, ChatRule.NEVER))
        for name, template in ECHOED_WORDINGS.items()
    ]
    return (*found, *(Wording(name, WordingFamily.COPIED, None) for name in COPIED_WORDINGS))


def questions_of(wordings: Iterable[Wording]) -> dict[str, dict[str, Any]]:
    """What details.json records of the prompts of some wordings, by name; copying has none."""
    return {one.name: one.question.as_dict() for one in wordings if one.question is not None}
