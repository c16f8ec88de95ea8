"""What kind of token an id is: the vocabulary audit's kinds, the ordinary ones told apart by what they are made of."""

from enum import Enum

from harness.models.tokenizers import Tokenizer
from harness.tokens.vocabulary_audit import Category, VocabularyAudit


class TokenKind(Enum):
    """Disjoint; an ordinary token is of the first kind that fits, in this order."""

    BEYOND_ASCII = "beyond_ascii"
    SPACE = "space"
    WORD = "word"
    PIECE = "piece"
    DIGITS = "digits"
    SIGNS = "signs"
    MIXED = "mixed"
    BYTE = "byte"
    FRAGMENT = "fragment"
    UNREACHABLE = "unreachable"
    SPECIAL = "special"
    NO_TOKEN = "no_token"
    UNKNOWN = "unknown"


LABELS = {
    TokenKind.WORD: "letters after a space",
    TokenKind.PIECE: "letters, no space before",
    TokenKind.MIXED: "letters with others",
    TokenKind.DIGITS: "digits",
    TokenKind.SIGNS: "punctuation and signs",
    TokenKind.SPACE: "white space",
    TokenKind.BEYOND_ASCII: "beyond ASCII",
    TokenKind.BYTE: "single byte",
    TokenKind.FRAGMENT: "part of a character",
    TokenKind.UNREACHABLE: "no text leads to it",
    TokenKind.SPECIAL: "special",
    TokenKind.NO_TOKEN: "row without a token",
    TokenKind.UNKNOWN: "any (no tokenizer)",
}
"""In the order in which they are shown."""

_OF_CATEGORY = {
    Category.NO_TOKEN: TokenKind.NO_TOKEN,
    Category.SPECIAL: TokenKind.SPECIAL,
    Category.BYTE: TokenKind.BYTE,
    Category.UTF8_FRAGMENT: TokenKind.FRAGMENT,
    Category.UNREACHABLE_ONE: TokenKind.UNREACHABLE,
    Category.UNREACHABLE_SEVERAL: TokenKind.UNREACHABLE,
}


def kind_of(category: Category, text: str) -> TokenKind:
    """The kind of an id by its category and its text, leading space included."""
    if category in _OF_CATEGORY:
        return _OF_CATEGORY[category]
    bare = text.strip()
    if not text.isascii():
        return TokenKind.BEYOND_ASCII
    if not bare:
        return TokenKind.SPACE
    if bare.isalpha():
        return TokenKind.WORD if text.startswith(" ") else TokenKind.PIECE
    if bare.isdigit():
        return TokenKind.DIGITS
    return TokenKind.MIXED if any(sign.isalnum() for sign in bare) else TokenKind.SIGNS


def kinds_of(audit: VocabularyAudit | None, tokenizer: Tokenizer | None, n_rows: int) -> tuple[TokenKind, ...]:
    """The kind of every row of an embedding; unknown without a tokenizer and its audit."""
    if audit is None or tokenizer is None:
        return (TokenKind.UNKNOWN,) * n_rows
    kinds = [kind_of(token.category, tokenizer.token_text(token.id)) for token in audit.tokens[:n_rows]]
    return (*kinds, *(TokenKind.NO_TOKEN,) * (n_rows - len(kinds)))
