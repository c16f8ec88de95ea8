"""The rules by which a token is taken to be unused, in the order in which they are trusted."""

from collections.abc import Sequence
from enum import Enum

from harness.measure.coinciding_rows import COINCIDING_BELOW
from harness.tokens.evidence import TokenEvidence
from harness.tokens.unused.bytes_never_used import bytes_never_used
from harness.tokens.unused.reserved_names import reserved_names
from harness.tokens.unused.rows_in_one_place import rows_in_one_place
from harness.tokens.unused.special_roles import special_with_role, special_without_role
from harness.tokens.vocabulary_audit import Category


class UnusedRule(Enum):
    """Why a token can't have been shown in training; the first is the surest."""

    BYTE_UNUSED = "byte_unused"
    NO_TOKEN = "no_token"
    RESERVED_NAMES = "reserved_names"
    UNUSED_SPECIAL = "unused_special"
    UNREACHABLE = "unreachable"
    COINCIDING_ROWS = "coinciding_rows"

    @property
    def words(self) -> str:
        """What its tokens have in common."""
        return _WORDS[self]


_WORDS = {
    UnusedRule.BYTE_UNUSED: "bytes that UTF-8 never holds",
    UnusedRule.NO_TOKEN: "rows that the tokenizer has no token for",
    UnusedRule.RESERVED_NAMES: "tokens with reserved names",
    UnusedRule.UNUSED_SPECIAL: "special tokens without a role",
    UnusedRule.UNREACHABLE: "tokens that the tokenizer never produces",
    UnusedRule.COINCIDING_ROWS: "the largest set of rows that nearly coincide",
}


def found_by(
    rule: UnusedRule, evidence: TokenEvidence, already: Sequence[int] = (), enough: int = 0
) -> tuple[tuple[int, ...], str]:
    """The ids of one rule, ascending, and what they are in words; no ids where the rule has nothing to go by.

    `already` and `enough` are for the last rule alone: how far it widens its circle (see `rows_in_one_place`).
    """
    if rule is UnusedRule.COINCIDING_ROWS:
        return _rows_in_one_place(evidence, already, enough)
    facts, vocabulary = evidence.facts, evidence.vocabulary
    ids: tuple[int, ...] = ()
    if rule is UnusedRule.BYTE_UNUSED:
        ids = bytes_never_used(facts)
    elif rule is UnusedRule.NO_TOKEN:
        ids = tuple(sorted(facts.unnamed_ids))
    elif vocabulary is not None and rule is UnusedRule.UNREACHABLE:
        tokens = evidence.audit.of(*(kind for kind in Category if kind.is_unreachable)) if evidence.audit else ()
        ids = tuple(token.id for token in tokens)
    elif vocabulary is not None:
        names = _names(evidence)
        if rule is UnusedRule.RESERVED_NAMES:
            ids = reserved_names(names)
        else:
            ids = special_without_role(facts, names, vocabulary.chat_templates)
    return ids, rule.words


def _rows_in_one_place(evidence: TokenEvidence, already: Sequence[int], enough: int) -> tuple[tuple[int, ...], str]:
    words = UnusedRule.COINCIDING_ROWS.words
    if evidence.centred is None:
        return (), words
    templates = evidence.vocabulary.chat_templates if evidence.vocabulary is not None else ()
    in_use = special_with_role(evidence.facts, _names(evidence), templates)
    found = rows_in_one_place(evidence.centred, already, enough, in_use)
    if found is None:
        return (), words
    words = f"{words} ({len(found.members)} within a cosine distance of {COINCIDING_BELOW}"
    if found.ring:
        words += f", and the {len(found.ring)} nearest ones around them, up to {found.farthest:.2f}"
    return found.ids, words + ")"


def _names(evidence: TokenEvidence) -> dict[int, str]:
    """Every token of the embedding's rows as the tokenizer writes it; empty without a tokenizer."""
    vocabulary = evidence.vocabulary
    if vocabulary is None:
        return {}
    named = ((i, vocabulary.token_name(i)) for i in sorted(vocabulary.known_ids) if i < evidence.facts.d_vocab)
    return {i: name for i, name in named if name is not None}
