"""What can be read off the tokenizer about one token."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.glitch.census.vocabulary import CensusVocabulary
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.text import shown
from harness.tokens.vocabulary_audit import AuditedToken, Category, audit_token

MOST_LISTED = 40


@dataclass(frozen=True)
class Word:
    """One token and its relations to others in the vocabulary."""

    token: AuditedToken
    name: str
    """Its text made visible."""
    token_type: str
    in_bytes: str | None
    """In hexadecimal; None where the text does not say which bytes it stands for."""
    merge_rank: int | None
    """Which merge made it, from 1; None where none did."""
    made_of: tuple[int, ...]
    parts_of: tuple[int, ...]
    """Tokens that a merge makes of it and another."""
    superstrings: tuple[int, ...]
    """Longer tokens whose text holds its text."""

    @property
    def is_reachable(self) -> bool:
        """Whether its text leads to it."""
        return self.token.is_reachable and self.token.category is not Category.SPECIAL


def look_up(token_id: int, tokenizer: Tokenizer, facts: VocabFacts, vocabulary: CensusVocabulary) -> Word:
    """Everything that can be read off the tokenizer about one id."""
    token = audit_token(tokenizer, token_id)
    if token.category is Category.BYTE:
        # The vocabulary audit does not encode the text of a byte token.
        token = replace(token, encodes_to=tuple(tokenizer.encode(token.text)))
    parts = tokenizer.merge_parts()
    order = {made: rank for rank, made in enumerate(tokenizer.merges(), 1)}
    text = vocabulary.text(token_id)
    longer = (i for i, other in enumerate(vocabulary.texts) if text and i != token_id and text in other)
    return Word(
        token,
        shown(vocabulary.names[token_id]),
        vocabulary.type_of(token_id).value,
        _in_bytes(token, text),
        order.get(token_id),
        parts.get(token_id, ()),
        tuple(made for made, both in parts.items() if token_id in both),
        tuple(i for i in longer if i not in facts.special_ids),
    )


def _in_bytes(token: AuditedToken, text: str | None) -> str | None:
    if token.byte is not None:
        return f"{token.byte:02x}"
    if token.category in (Category.SPECIAL, Category.NO_TOKEN) or text is None:
        return None
    return text.encode("utf-8", errors="surrogatepass").hex(" ")


def as_details(word: Word, vocabulary: CensusVocabulary, facts: VocabFacts) -> dict[str, Any]:
    """What the tables need of it."""

    def listed(ids: Sequence[int]) -> list[dict[str, Any]]:
        return [{"id": i, "token": shown(vocabulary.names[i])} for i in ids[:MOST_LISTED]]

    exposures = facts.exposures
    counts = {} if exposures is None else {"total": exposures.total, "text": exposures.text,
                                           "repeats": exposures.repeats, "tasks": exposures.tasks}  # fmt: skip
    return {
        "card": {
            "id": word.token.id,
            "token": word.name,
            "category": word.token.category.value,
            "byte_type": word.token.byte_type.value if word.token.byte_type else None,
            "type": word.token_type,
            "bytes": word.in_bytes,
            "is_reachable": word.is_reachable,
            "looks_special": word.token.looks_special,
            "merge_rank": word.merge_rank,
            "n_merges": len(facts.merges),
            "n_superstrings": len(word.superstrings),
            "n_part_of": len(word.parts_of),
            "exposures": {name: int(values[word.token.id]) for name, values in counts.items()},
        },
        "encodes_to": listed(word.token.encodes_to),
        "made_of": listed(word.made_of),
        "part_of": listed(word.parts_of),
        "superstrings": listed(word.superstrings),
    }
