"""The five kinds of glitch token (Li et al. 2024, arXiv 2404.09894, taxonomy), by rules on the token's text.

The source gives names and examples; these rules are ours, on the text without the spaces around it:

1. special: holds a character beyond ASCII, or does not decode.
2. character: no letter.
3. letter-character: letters and something else.
4. word: letters that split completely into recognisable words ("quickShipAvailable").
5. letter: any other letters ("davidjl").

A recognisable word has three letters or more and is a word of its own in the vocabulary: a token of letters after a
space, among the earlier half of those and the first 8,000 (later ones are rarer, often fragments, and sometimes
glitch tokens themselves: GPT-2 has one for " davidjl").
"""

from collections.abc import Collection, Sequence
from enum import Enum

_SHORTEST = 3
_MOST_WORDS = 8_000


class TokenType(Enum):
    """What a token is made of."""

    WORD = "word"
    LETTER = "letter"
    CHARACTER = "character"
    LETTER_CHARACTER = "letter_character"
    SPECIAL = "special"


def classify_type(text: str | None, words: Collection[str]) -> TokenType:
    """The kind of a token with this text; `words` are recognisable ones in lower case."""
    bare = (text or "").strip()
    if text is None or not bare.isascii():
        return TokenType.SPECIAL
    letters = [sign for sign in bare if sign.isalpha()]
    if not letters:
        return TokenType.CHARACTER
    if len(letters) < len(bare):
        return TokenType.LETTER_CHARACTER
    return TokenType.WORD if _splits(bare.lower(), words) else TokenType.LETTER


def recognisable_words(texts: Sequence[str]) -> frozenset[str]:
    """Words of their own among the texts of a vocabulary, in the order of its ids."""
    behind_space = [text[1:].lower() for text in texts if text.startswith(" ") and _is_word(text[1:])]
    return frozenset(behind_space[: min(_MOST_WORDS, (len(behind_space) + 1) // 2)])


def _is_word(text: str) -> bool:
    return len(text) >= _SHORTEST and text.isascii() and text.isalpha()


def _splits(text: str, words: Collection[str]) -> bool:
    """Whether words of the list, one after the other, make up the whole text."""
    reachable = [True, *([False] * len(text))]
    for end in range(_SHORTEST, len(text) + 1):
        reachable[end] = any(reachable[start] and text[start:end] in words for start in range(end - _SHORTEST, -1, -1))
    return reachable[-1]
