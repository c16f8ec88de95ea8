"""What the census needs of every id: its text, and whether it is tested at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.glitch.census.token_types import TokenType, classify_type, recognisable_words
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts

_UNDECODABLE = "\ufffd"


@dataclass(frozen=True)
class CensusVocabulary:
    """Texts of all ids of the embedding.

    `texts[id]` is "" for a row that no token of the tokenizer leads to; such rows are tested by repetition, by id only.
    """

    texts: tuple[str, ...]
    """As decoded one by one; U+FFFD for part of a character."""
    names: tuple[str, ...]
    """With the space that marks the beginning of a word, for people."""
    special_ids: frozenset[int]
    unnamed_ids: frozenset[int]

    @classmethod
    def read(cls, tokenizer: Tokenizer, facts: VocabFacts) -> "CensusVocabulary":
        """The vocabulary of one model with its tokenizer."""
        unnamed = frozenset(facts.unnamed_ids)
        known = [i for i in range(facts.d_vocab) if i not in unnamed]
        decoded = dict(zip(known, tokenizer.decode_batch([[i] for i in known]), strict=True))
        return cls(
            tuple(decoded.get(i, "") for i in range(facts.d_vocab)),
            tuple(tokenizer.token_text(i) for i in range(facts.d_vocab)),
            facts.special_ids,
            unnamed,
        )

    @cached_property
    def testable_ids(self) -> tuple[int, ...]:
        """Every id but the special ones: saying a special token ends an answer."""
        return tuple(i for i in range(len(self.texts)) if i not in self.special_ids)

    def text(self, token_id: int) -> str | None:
        """The text of an id; None where it has none (part of a character, a row without a token)."""
        text = self.texts[token_id]
        return None if not text or _UNDECODABLE in text else text

    def decode(self, ids: Sequence[int], tokenizer: Tokenizer) -> str:
        """The text of an answer; rows without a token are left out."""
        return tokenizer.decode([i for i in ids if i not in self.unnamed_ids])

    def type_of(self, token_id: int) -> TokenType:
        """The kind of a token by the taxonomy of glitch tokens."""
        return classify_type(self.text(token_id), self._words)

    @cached_property
    def _words(self) -> frozenset[str]:
        return recognisable_words(self.names)
