"""What a tokenizer loses: every byte and every character goes through it and back.

A character that vanishes takes no token at all, so nothing in the ids says that it was there; one that comes back as
another is read by the model as that other. Both are silent: no unknown token marks the place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from harness.tokens._encoder import AuditableTokenizer
from harness.tokens._reaching import Reach

N_BYTES = 256
N_CODE_POINTS = 0x110000
SURROGATES = range(0xD800, 0xE000)
"""Code points that are no characters: no text holds them."""
NOT_TRIED = -1

# Characters that go through together; each stands between two words.
_TOGETHER = 512


class Fate(Enum):
    """What becomes of a byte or a character between text and ids and back."""

    KEPT = "kept"
    VANISHED = "vanished"
    """It leaves nothing behind."""
    CHANGED = "changed"
    """Something else comes back, and no token says that it is unknown."""
    UNKNOWN = "unknown"
    """It becomes the token for what is not known."""

    @property
    def is_silent(self) -> bool:
        """Whether a loss leaves no mark."""
        return self in (Fate.VANISHED, Fate.CHANGED)


FATES = tuple(Fate)


@runtime_checkable
class ByteTokenizer(AuditableTokenizer, Protocol):
    """A tokenizer that takes single bytes (`harness.models.tokenizers.Tokenizer`)."""

    def encode_byte(self, byte: int) -> tuple[int, ...] | None:
        """What one byte of a text becomes by itself; None where the tokenizer knows no bytes."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive code points of one fate that is not `KEPT`."""

    first: int
    last: int
    fate: Fate
    example: str
    """What the first comes back as."""

    def __len__(self) -> int:
        """How many code points."""
        return self.last - self.first + 1


@dataclass(frozen=True, eq=False)
class Losses:
    """The fate of every byte and every code point: positions in `FATES`, -1 where it was not tried."""

    byte_fates: Int[np.ndarray, " byte"]
    """-1 for all where the tokenizer knows no bytes."""
    character_fates: Int[np.ndarray, " code_point"]
    """-1 for surrogates, and for all where no character survives to stand beside them."""
    comes_back_as: dict[int, str]
    """What a code point that is not kept comes back as."""

    def n_bytes(self, *fates: Fate) -> int:
        """How many bytes have one of these fates."""
        return int(np.isin(self.byte_fates, [FATES.index(fate) for fate in fates]).sum())

    def n_characters(self, *fates: Fate) -> int:
        """How many code points have one of these fates."""
        return int(np.isin(self.character_fates, [FATES.index(fate) for fate in fates]).sum())

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """What is not kept, in order."""
        fates = self.character_fates
        edges = np.flatnonzero(np.diff(fates)) + 1
        starts = [0, *edges.tolist()]
        ends = [*edges.tolist(), len(fates)]
        lost = ((a, b) for a, b in zip(starts, ends, strict=True) if fates[a] > 0)
        return tuple(Stretch(a, b - 1, FATES[fates[a]], self.comes_back_as.get(a, "")) for a, b in lost)


def find_losses(tokenizer: ByteTokenizer) -> Losses:
    """Sends all 256 bytes and all 1,112,064 characters through a tokenizer.

    Each character stands between two words of one surviving letter, white space between two such letters. Spaces that a
    tokenizer puts around punctuation are no loss.
    """
    byte_fates = np.array([_byte_fate(tokenizer, byte) for byte in range(N_BYTES)], dtype=np.int8)
    fates = np.full(N_CODE_POINTS, NOT_TRIED, dtype=np.int8)
    returned: dict[int, str] = {}
    frame = _Frame.of(tokenizer)
    if frame is not None:
        for code, back in frame.come_back():
            fates[code] = FATES.index(frame.fate(code, back))
            if fates[code]:
                returned[code] = back
    return Losses(byte_fates, fates, returned)


def _byte_fate(tokenizer: ByteTokenizer, byte: int) -> int:
    ids = tokenizer.encode_byte(byte)
    if ids is None:
        return NOT_TRIED
    if not ids:
        return FATES.index(Fate.VANISHED)
    if ids == (tokenizer.byte_id(byte),):
        return FATES.index(Fate.KEPT)
    return FATES.index(Fate.UNKNOWN if tokenizer.special_ids.intersection(ids) else Fate.CHANGED)


@dataclass(frozen=True)
class _Frame:
    """A letter that comes back, on either side of what is tried."""

    tokenizer: ByteTokenizer
    letter: str
    unknown: frozenset[str]
    """Texts of special tokens: one of them in place of a character says that it is not known."""

    @classmethod
    def of(cls, tokenizer: ByteTokenizer) -> "_Frame | None":
        survivors = [text for text in Reach(tokenizer).characters if text.isalnum()]
        unknown = frozenset(tokenizer.token_text(i) for i in tokenizer.special_ids)
        return cls(tokenizer, survivors[0], unknown) if survivors else None

    def fate(self, code: int, back: str) -> Fate:
        character = chr(code)
        if back == character:
            return Fate.KEPT
        if not back:
            return Fate.VANISHED
        return Fate.UNKNOWN if back in self.unknown else Fate.CHANGED

    def come_back(self) -> Iterator[tuple[int, str]]:
        """Every code point but surrogates, and what it comes back as."""
        codes = [code for code in range(N_CODE_POINTS) if code not in SURROGATES]
        spaces = [code for code in codes if chr(code).isspace()]
        yield from zip(spaces, self._inside(spaces), strict=True)
        visible = [code for code in codes if not chr(code).isspace()]
        for start in range(0, len(visible), _TOGETHER * 64):
            some = visible[start : start + _TOGETHER * 64]
            yield from zip(some, self._between(some), strict=True)

    def _between(self, codes: Sequence[int]) -> list[str]:
        """Each between two words: many at once, and one by one where their number does not come back."""
        chunks = [codes[start : start + _TOGETHER] for start in range(0, len(codes), _TOGETHER)]
        found: list[str] = []
        for chunk, back in zip(chunks, self._through([self._joined(chunk) for chunk in chunks]), strict=True):
            parts = self._split(back)
            if len(parts) != len(chunk):
                parts = self._one_by_one(chunk)
            found += parts
        return found

    def _one_by_one(self, codes: Sequence[int]) -> list[str]:
        # A letter that is the frame's own, or becomes it, stands between the first and the last of three.
        backs = (back.strip() for back in self._through([self._joined([code]) for code in codes]))
        return [_between_spaces(back.removeprefix(self.letter).removesuffix(self.letter)) for back in backs]

    def _inside(self, codes: Sequence[int]) -> list[str]:
        backs = self._through([self.letter + chr(code) + self.letter for code in codes])
        return [back.strip().removeprefix(self.letter).removesuffix(self.letter) for back in backs]

    def _joined(self, codes: Sequence[int]) -> str:
        return " ".join((self.letter, *(f"{chr(code)} {self.letter}" for code in codes)))

    def _split(self, back: str) -> list[str]:
        """What stands between the first and the last letter; nothing where there are none."""
        return [_between_spaces(part) for part in back.split(self.letter)[1:-1]]

    def _through(self, texts: Sequence[str]) -> list[str]:
        return self.tokenizer.decode_batch(self.tokenizer.encode_batch(texts))


def _between_spaces(part: str) -> str:
    """What stands where a character stood; the spaces on either side are the frame's, a third one is not."""
    return part.strip(" ") or (" " if len(part) > len("  ") else "")
