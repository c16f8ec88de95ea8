"""What is known of a model's tokens without running it: facts, tokenizer and, read when first asked for, input rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from harness.measure.coinciding_rows import CentredRows
from harness.models.vocab_facts import VocabFacts
from harness.tokens._encoder import AuditableTokenizer, TextEncoder
from harness.tokens.vocabulary_audit import VocabularyAudit, audit_vocabulary


@runtime_checkable
class NamedVocabulary(AuditableTokenizer, Protocol):
    """A tokenizer that tells what it has to say of its tokens (`harness.models.tokenizers.Tokenizer`)."""

    def token_name(self, token_id: int) -> str | None:
        """How the vocabulary spells a token."""

    @property
    def chat_templates(self) -> tuple[str, ...]:
        """Every chat template."""

    def ids_by_score(self) -> list[int]:
        """Ids of a Unigram vocabulary, the likeliest first."""


@dataclass(frozen=True, eq=False)
class TokenEvidence:
    """One model's tokens. Training counts are in `facts` and are not for the rules of this package."""

    facts: VocabFacts
    tokenizer: TextEncoder | None = None
    read_rows: Callable[[], Float[np.ndarray, "d_vocab d_model"]] | None = None
    """Reads the input rows; None where there are no weights to look at."""

    @cached_property
    def vocabulary(self) -> NamedVocabulary | None:
        """The tokenizer, where it knows more than to encode and decode."""
        return self.tokenizer if isinstance(self.tokenizer, NamedVocabulary) else None

    @cached_property
    def audit(self) -> VocabularyAudit | None:
        """The kind of every id; None without a tokenizer."""
        return None if self.vocabulary is None else audit_vocabulary(self.vocabulary, self.facts.d_vocab)

    @cached_property
    def rows(self) -> Float[np.ndarray, "d_vocab d_model"] | None:
        """What the model sees of each token; None where there are no weights."""
        return None if self.read_rows is None else self.read_rows()[: self.facts.d_vocab]

    @cached_property
    def centred(self) -> CentredRows | None:
        """The input rows, ready to be compared; None where there are no weights."""
        return None if self.rows is None else CentredRows.of(self.rows)

    def n_distinct(self, ids: Sequence[int]) -> int | None:
        """How many of these tokens the model can tell apart (sets of coinciding rows); None without weights."""
        if not ids:
            return 0
        return None if self.centred is None else len(self.centred.sets(ids))

    def let_go(self) -> None:
        """Free the copy of the rows that comparing them needs; it is made anew where it is needed again."""
        self.__dict__.pop("centred", None)

    def ordinary_ids(self) -> tuple[int, ...]:
        """Ids with a token that is neither special nor a single byte."""
        bytes_ = {i for i in self.facts.byte_ids if i is not None}
        out = self.facts.special_ids | set(self.facts.unnamed_ids) | bytes_
        return tuple(i for i in range(self.facts.d_vocab) if i not in out)
