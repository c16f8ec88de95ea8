"""What pools, look-ups and audits need of a tokenizer."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class TextEncoder(Protocol):
    """The two directions between ids and text (`harness.models.tokenizers.Tokenizer`)."""

    def encode(self, text: str) -> list[int]:
        """Ids without special tokens."""

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids, spaces kept."""


@runtime_checkable
class AuditableTokenizer(Protocol):
    """What a vocabulary audit needs of a tokenizer (`harness.models.tokenizers.Tokenizer`)."""

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids of special tokens."""

    @property
    def known_ids(self) -> frozenset[int]:
        """Ids that have a token."""

    def byte_id(self, byte: int) -> int | None:
        """Id of the token that stands for one byte."""

    def token_text(self, token_id: int) -> str:
        """A token's text with its leading space."""

    def spellings(self, token_id: int) -> tuple[str, ...]:
        """The texts that a token may stand for, without marks of its place in a word."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of texts, no special token added."""

    def decode_batch(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Texts of rows of ids, spaces kept."""
