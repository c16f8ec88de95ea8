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

# Characters that go through in one text, and texts in one batch.
_TOGETHER = 512
_PASSED = 64


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

    What does not come back with many neighbours is tried by itself, between two words of one surviving letter, white
    space between two such letters. Spaces that a tokenizer puts around punctuation are no loss.
    """
    byte_fates = np.array([_byte_fate(tokenizer, byte) for byte in range(N_BYTES)], dtype=np.int8)
    fates = np.full(N_CODE_POINTS, NOT_TRIED, dtype=np.int8)
    frame = _Frame.of(tokenizer)
    if frame is None:
        return Losses(byte_fates, fates, {})
    codes = [code for code in range(N_CODE_POINTS) if code not in SURROGATES]
    fates[codes] = FATES.index(Fate.KEPT)
    returned = dict(frame.lost(codes))
    unknown = {tokenizer.token_text(i) for i in tokenizer.special_ids}
    vanished, not_known, changed = (FATES.index(fate) for fate in (Fate.VANISHED, Fate.UNKNOWN, Fate.CHANGED))
    for code, back in returned.items():
        fates[code] = vanished if not back else not_known if back in unknown else changed
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

    @classmethod
    def of(cls, tokenizer: ByteTokenizer) -> "_Frame | None":
        survivor = next((text for text in Reach(tokenizer).characters if text.isalnum()), None)
        return None if survivor is None else cls(tokenizer, survivor)

    def lost(self, codes: Sequence[int]) -> Iterator[tuple[int, str]]:
        """The code points that do not come back, and what does."""
        spaces = [code for code in codes if chr(code).isspace()]
        visible = [code for code in codes if not chr(code).isspace()]
        yield from _differing(spaces, self._inside(spaces))
        for start in range(0, len(visible), _TOGETHER * _PASSED):
            some = visible[start : start + _TOGETHER * _PASSED]
            chunks = [some[at : at + _TOGETHER] for at in range(0, len(some), _TOGETHER)]
            damaged = self._damaged(chunks)
            separate = self._through([self._joined(chunk) for chunk in damaged])
            for chunk, back in zip(damaged, separate, strict=True):
                parts = self._split(back)
                yield from _differing(chunk, parts if len(parts) == len(chunk) else self._one_by_one(chunk))

    def _damaged(self, chunks: Sequence[Sequence[int]]) -> list[Sequence[int]]:
        """Those that do not come back as they are, one character beside the other."""
        texts = [self.letter + "".join(map(chr, chunk)) + self.letter for chunk in chunks]
        backs = self._through(texts)
        return [chunk for chunk, text, back in zip(chunks, texts, backs, strict=True) if back.strip() != text]

    def _one_by_one(self, codes: Sequence[int]) -> list[str]:
        # A letter that is the frame's own, or becomes it, stands between the first and the last of three.
        backs = (back.strip() for back in self._through([self._joined([code]) for code in codes]))
        return _between_spaces([back.removeprefix(self.letter).removesuffix(self.letter) for back in backs])

    def _inside(self, codes: Sequence[int]) -> list[str]:
        backs = self._through([self.letter + chr(code) + self.letter for code in codes])
        return [back.strip().removeprefix(self.letter).removesuffix(self.letter) for back in backs]

    def _joined(self, codes: Sequence[int]) -> str:
        return " ".join((self.letter, *(f"{chr(code)} {self.letter}" for code in codes)))

    def _split(self, back: str) -> list[str]:
        """What stands between the first and the last letter; nothing where there are none."""
        return _between_spaces(back.split(self.letter)[1:-1])

    def _through(self, texts: Sequence[str]) -> list[str]:
        return self.tokenizer.decode_batch(self.tokenizer.encode_batch(texts))


def _differing(codes: Sequence[int], backs: Sequence[str]) -> list[tuple[int, str]]:
    return [(code, back) for code, back in zip(codes, backs, strict=True) if back != chr(code)]


def _between_spaces(parts: Sequence[str]) -> list[str]:
    """What stands where each character stood; the spaces on either side are the frame's, a third one is not."""
    return [part.strip(" ") or (" " if len(part) > len("  ") else "") for part in parts]
