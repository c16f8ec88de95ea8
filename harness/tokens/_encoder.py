"""What pools and look-ups need of a tokenizer."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable


@runtime_checkable
class TextEncoder(Protocol):
    """The two directions between ids and text (`harness.models.tokenizers.Tokenizer`)."""

    def encode(self, text: str) -> list[int]:
        """Ids without special tokens."""

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids, spaces kept."""
