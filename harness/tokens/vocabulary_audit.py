"""The vocabulary audit: which kind of token every id is, by decoding it and encoding the text again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from harness.tokens._encoder import AuditableTokenizer
from harness.tokens._reaching import Reach

REPLACEMENT = "\ufffd"
"""What stands for bytes that are no UTF-8 when they are decoded."""

_OVERLONG_LEAD_BYTES = (0xC0, 0xC1)
_FIRST_LEAD_BYTE_BEYOND_UNICODE = 0xF5
_FIRST_LONGER_BYTE = 0x80
_N_BYTES = 256


class Category(Enum):
    """The kinds of id, disjoint; an id belongs to the first that fits, in this order."""

    NO_TOKEN = "no_token"
    """A row of the embedding that the tokenizer has no token for (padding of the matrix)."""
    SPECIAL = "special"
    BYTE = "byte"
    """Stands for one byte; `ByteType` says of what kind."""
    OK = "ok"
    """Its text encodes to this very id, alone or among other characters."""
    UTF8_FRAGMENT = "utf8_fragment"
    """Part of a character: its text holds U+FFFD and does not encode to this id."""
    UNREACHABLE_ONE = "unreachable_one"
    """No text leads to it; its own encodes to one other token."""
    UNREACHABLE_SEVERAL = "unreachable_several"
    """No text leads to it; its own encodes to several tokens, or to none."""

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
    """What its text encodes to, without its neighbours; empty for special tokens, bytes and rows without a token."""
    is_reachable: bool
    """Whether a text that says it leads to this very id. Of single bytes only those that are characters are tried."""

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


def byte_type(byte: int) -> ByteType:
    """The kind of a byte. The boundaries are those of Magikarp's tokenization.py (and of UTF-8)."""
    if byte < _FIRST_LONGER_BYTE:
        return ByteType.ASCII
    if byte in _OVERLONG_LEAD_BYTES or byte >= _FIRST_LEAD_BYTE_BEYOND_UNICODE:
        return ByteType.UNUSED_UTF8
    return ByteType.UTF8


def audit_vocabulary(tokenizer: AuditableTokenizer, n_rows: int | None = None) -> VocabularyAudit:
    """Every id's category, for `n_rows` embedding rows (default: as many as the tokenizer's highest id asks for).

    Source: Land & Bartolo 2024, section 3.1, and magikarp/tokenization.py, whose order is kept but for single bytes,
    which are a kind of their own here, and for tokens whose text leads to them only among other characters
    (`harness.tokens._reaching`), which are ordinary. Ids at or beyond `n_rows` are left out.
    """
    n_rows = max(tokenizer.known_ids, default=-1) + 1 if n_rows is None else n_rows
    return VocabularyAudit(tuple(_audited(tokenizer, range(n_rows))))


def audit_token(tokenizer: AuditableTokenizer, token_id: int) -> AuditedToken:
    """One id as `audit_vocabulary` sees it, without a look at all others where its own text leads to it."""
    (token,) = _audited(tokenizer, [token_id])
    if token.is_reachable or not token.category.is_unreachable:
        return token
    # A text that says another token can hold this one.
    return audit_vocabulary(tokenizer, max(token_id, *tokenizer.known_ids) + 1).tokens[token_id]


def _audited(tokenizer: AuditableTokenizer, ids: Sequence[int]) -> Iterator[AuditedToken]:
    bytes_by_id = {i: byte for byte in range(_N_BYTES) if (i := tokenizer.byte_id(byte)) is not None}
    named = [i for i in ids if i in tokenizer.known_ids]
    ordinary = [i for i in named if i not in tokenizer.special_ids]
    texts = _texts(tokenizer, ordinary) | {i: tokenizer.token_text(i) for i in named if i in tokenizer.special_ids}
    reach = Reach(tokenizer)
    encoded = dict(zip(ordinary, reach.own_ids([texts[i] for i in ordinary]), strict=True))
    # A byte beyond ASCII is no character by itself.
    tried = {i: _bodies(tokenizer, i, texts[i]) for i in named if bytes_by_id.get(i, 0) < _FIRST_LONGER_BYTE}
    found = {i for i in ordinary if encoded[i] == (i,) and tried.get(i)}
    found |= reach.reached({i: bodies for i, bodies in tried.items() if i not in found and bodies})
    for i in ids:
        if i not in tokenizer.known_ids:
            yield AuditedToken(i, Category.NO_TOKEN, "", None, (), False)
        elif i in tokenizer.special_ids:
            yield AuditedToken(i, Category.SPECIAL, texts[i], None, (), i in found)
        elif i in bytes_by_id:
            yield AuditedToken(i, Category.BYTE, texts[i], bytes_by_id[i], (), i in found)
        elif i in found:
            yield AuditedToken(i, Category.OK, texts[i], None, (i,), True)
        else:
            yield AuditedToken(
                i, _unreached(texts[i], encoded[i], i in tried and bool(tried[i])), texts[i], None, encoded[i], False
            )


def _unreached(text: str, encoded: tuple[int, ...], has_text: bool) -> Category:
    if not has_text and REPLACEMENT in text:
        return Category.UTF8_FRAGMENT
    return Category.UNREACHABLE_ONE if len(encoded) == 1 else Category.UNREACHABLE_SEVERAL


def _texts(tokenizer: AuditableTokenizer, ids: Sequence[int]) -> dict[int, str]:
    """As decoded one by one, with the leading space that a decoder drops at the start of a text."""
    decoded = tokenizer.decode_batch([[i] for i in ids])
    names = [tokenizer.token_text(i) for i in ids]
    return {
        i: name if name != text and name.lstrip(" ") == text.lstrip(" ") else text
        for i, text, name in zip(ids, decoded, names, strict=True)
    }


def _bodies(tokenizer: AuditableTokenizer, token_id: int, text: str) -> tuple[str, ...]:
    """The texts that may lead to a token; none for part of a character, whose U+FFFD stands for other bytes."""
    spellings = tokenizer.spellings(token_id)
    if REPLACEMENT in text and not any(REPLACEMENT in spelling for spelling in spellings):
        return ()
    bodies = (text, *spellings)
    return tuple(dict.fromkeys(body for given in bodies for body in (given, given.strip(" ")) if body))
