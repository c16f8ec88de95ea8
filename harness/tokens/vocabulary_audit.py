"""The vocabulary audit: which kind of token every id is, by decoding it and encoding the text again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol, runtime_checkable

REPLACEMENT = "\ufffd"
"""What stands for bytes that are no UTF-8 when they are decoded."""

# A tokenizer that marks the start of a text with a space hides what a token does inside one. A second prefix is for
# tokens that merge with the first. A vocabulary without them has others.
_PREFIXES = ("«", "»")
_N_PREFIXES = 2
_MOST_LETTERS = 64
_SPACE_MARKS = ("▁", "Ġ", " ")
_OVERLONG_LEAD_BYTES = (0xC0, 0xC1)
_FIRST_LEAD_BYTE_BEYOND_UNICODE = 0xF5
_N_BYTES = 256


class Category(Enum):
    """The kinds of id, disjoint; an id belongs to the first that fits, in this order."""

    NO_TOKEN = "no_token"
    """A row of the embedding that the tokenizer has no token for (padding of the matrix)."""
    SPECIAL = "special"
    BYTE = "byte"
    """Stands for one byte; `ByteType` says of what kind."""
    OK = "ok"
    """Its text encodes to this very id."""
    UTF8_FRAGMENT = "utf8_fragment"
    """Part of a character: its text holds U+FFFD and does not encode to this id."""
    UNREACHABLE_ONE = "unreachable_one"
    """Its text encodes to one other token."""
    UNREACHABLE_SEVERAL = "unreachable_several"
    """Its text encodes to several tokens, or to none."""

    @property
    def is_unreachable(self) -> bool:
        """Whether no text leads to such a token."""
        return self in (Category.UNREACHABLE_ONE, Category.UNREACHABLE_SEVERAL)


class ByteType(Enum):
    """What a byte can be in UTF-8."""

    ASCII = "ascii"
    UTF8 = "utf8"
    """Lead or continuation byte of a longer character."""
    UNUSED_UTF8 = "unused_utf8"
    """In no UTF-8 text: overlong lead bytes (C0, C1) and lead bytes beyond U+10FFFF (F5 to FF)."""


@dataclass(frozen=True)
class AuditedToken:
    """One id: its kind, its text, and what the text encodes to."""

    id: int
    category: Category
    text: str
    """As decoded; U+FFFD for what does not decode."""
    byte: int | None
    """The byte it stands for; None for every other kind."""
    encodes_to: tuple[int, ...]
    """What its text encodes to; empty where it was not encoded (special tokens, bytes, rows without a token)."""

    @property
    def byte_type(self) -> ByteType | None:
        """The kind of byte it stands for."""
        return None if self.byte is None else byte_type(self.byte)

    @property
    def looks_special(self) -> bool:
        """Whether its text looks like a special token's: three characters or more in [] or <>, with a letter."""
        text = self.text
        bracketed = len(text) >= 3 and text[0] in "[<" and text[-1] in "]>"
        return bracketed and any(character.isalpha() for character in text)


@dataclass(frozen=True)
class VocabularyAudit:
    """Every id of a vocabulary, in order."""

    tokens: tuple[AuditedToken, ...]

    @cached_property
    def counts(self) -> Mapping[Category, int]:
        """How many ids are of each kind; they add up to the size of the vocabulary."""
        found = dict.fromkeys(Category, 0)
        for token in self.tokens:
            found[token.category] += 1
        return found

    @cached_property
    def byte_counts(self) -> Mapping[ByteType, int]:
        """How many single-byte tokens are of each type."""
        found = dict.fromkeys(ByteType, 0)
        for token in self.of(Category.BYTE):
            assert token.byte is not None
            found[byte_type(token.byte)] += 1
        return found

    def of(self, *categories: Category) -> Iterator[AuditedToken]:
        """The tokens of some kinds, in order of id."""
        return (token for token in self.tokens if token.category in categories)

    @property
    def n_genuine_replacements(self) -> int:
        """Tokens whose text really holds U+FFFD: it survives the round trip."""
        return sum(REPLACEMENT in token.text for token in self.of(Category.OK))


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

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of texts, no special token added."""

    def decode_batch(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Texts of rows of ids, spaces kept."""


def byte_type(byte: int) -> ByteType:
    """The kind of a byte. The boundaries are those of Magikarp's tokenization.py (and of UTF-8)."""
    if byte < 0x80:
        return ByteType.ASCII
    if byte in _OVERLONG_LEAD_BYTES or byte >= _FIRST_LEAD_BYTE_BEYOND_UNICODE:
        return ByteType.UNUSED_UTF8
    return ByteType.UTF8


def audit_vocabulary(tokenizer: AuditableTokenizer, n_rows: int | None = None) -> VocabularyAudit:
    """Every id's category, for `n_rows` embedding rows (default: as many as the tokenizer's highest id asks for).

    Source: Land & Bartolo 2024, section 3.1, and magikarp/tokenization.py, whose order is kept but for single bytes,
    which are a kind of their own here. Ids at or beyond `n_rows` are left out.
    """
    n_rows = max(tokenizer.known_ids, default=-1) + 1 if n_rows is None else n_rows
    bytes_by_id = {i: byte for byte in range(_N_BYTES) if (i := tokenizer.byte_id(byte)) is not None}
    found: dict[int, AuditedToken] = {}
    with_text = []
    for i in range(n_rows):
        if i not in tokenizer.known_ids:
            found[i] = AuditedToken(i, Category.NO_TOKEN, "", None, ())
        elif i in tokenizer.special_ids:
            found[i] = AuditedToken(i, Category.SPECIAL, tokenizer.token_text(i), None, ())
        elif i not in bytes_by_id:
            with_text.append(i)
    in_bytes = [i for i in bytes_by_id if i < n_rows and i not in found]
    for i, text in zip(in_bytes, tokenizer.decode_batch([[i] for i in in_bytes]), strict=True):
        found[i] = AuditedToken(i, Category.BYTE, text, bytes_by_id[i], ())
    for trip in _round_trips(tokenizer, with_text):
        found[trip.id] = AuditedToken(trip.id, _category(trip), trip.text, None, trip.encodes_to)
    return VocabularyAudit(tuple(found[i] for i in range(n_rows)))


@dataclass(frozen=True)
class _RoundTrip:
    id: int
    text: str
    encodes_to: tuple[int, ...]

    @property
    def survives(self) -> bool:
        return self.encodes_to == (self.id,)


def _category(trip: _RoundTrip) -> Category:
    if trip.survives:
        return Category.OK
    if REPLACEMENT in trip.text:
        return Category.UTF8_FRAGMENT
    return Category.UNREACHABLE_ONE if len(trip.encodes_to) == 1 else Category.UNREACHABLE_SEVERAL


def _round_trips(tokenizer: AuditableTokenizer, ids: Sequence[int]) -> list[_RoundTrip]:
    prefixes = _prefixes(tokenizer, ids) if _marks_the_start(tokenizer) else []
    trips = {trip.id: trip for trip in _trips_after(tokenizer, ids, prefixes[0] if prefixes else "")}
    for prefix in prefixes[1:]:
        lost = [i for i in ids if not trips[i].survives]
        trips |= {trip.id: trip for trip in _trips_after(tokenizer, lost, prefix) if trip.survives}
    return list(_inside_words(tokenizer, trips).values())


def _prefixes(tokenizer: AuditableTokenizer, ids: Sequence[int]) -> list[str]:
    """Texts to put in front: a small vocabulary has no guillemets, and what it puts in their place decodes to
    something else."""
    short = [text for text in tokenizer.decode_batch([[i] for i in ids]) if len(text) == 1 and text.isprintable()]
    candidates = list(dict.fromkeys((*_PREFIXES, *(text for text in short if not text.isspace()))))[:_MOST_LETTERS]
    encoded = tokenizer.encode_batch(candidates)
    decoded = tokenizer.decode_batch(encoded)
    return [text for text, back in zip(candidates, decoded, strict=True) if back.strip() == text][:_N_PREFIXES]


def _inside_words(tokenizer: AuditableTokenizer, trips: Mapping[int, _RoundTrip]) -> dict[int, _RoundTrip]:
    """Tokens that only continue a word (`##ing`) have another text behind one: there they are looked for again."""
    found = dict(trips)
    letters = [trip for trip in trips.values() if trip.survives and len(trip.text) == 1 and trip.text.isalnum()]
    for letter in letters[:_MOST_LETTERS]:
        lost = [trip for trip in found.values() if not trip.survives and trip.text]
        joined = tokenizer.decode_batch([[letter.id, trip.id] for trip in lost])
        words = [
            (trip, text)
            for trip, text in zip(lost, joined, strict=True)
            if text.startswith(letter.text) and not text.endswith(trip.text)
        ]
        if not words:
            break
        encoded = tokenizer.encode_batch([text for _, text in words])
        for (trip, _), row in zip(words, encoded, strict=True):
            if row == [letter.id, trip.id]:
                found[trip.id] = _RoundTrip(trip.id, trip.text, (trip.id,))
    return found


def _marks_the_start(tokenizer: AuditableTokenizer) -> bool:
    """Whether a text's first token carries a space that the text does not have."""
    first = tokenizer.encode_batch(["a"])[0][:1]
    return bool(first) and tokenizer.token_text(first[0]).startswith(_SPACE_MARKS)


def _trips_after(tokenizer: AuditableTokenizer, ids: Sequence[int], prefix: str) -> list[_RoundTrip]:
    before = tokenizer.encode_batch([prefix])[0] if prefix else []
    decoded = tokenizer.decode_batch([[*before, i] for i in ids])
    # A fragment can swallow the prefix: its text then starts with something else, and is kept whole.
    texts = [text.removeprefix(prefix) for text in decoded]
    encoded = tokenizer.encode_batch([prefix + text for text in texts])
    cut = [row[len(before) :] if row[: len(before)] == before else row for row in encoded]
    return [_RoundTrip(i, text, tuple(row)) for i, text, row in zip(ids, texts, cut, strict=True)]
