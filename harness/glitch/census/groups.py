"""Overlapping groups of tokens by their look, in which a wording may do well or badly."""

import unicodedata
from collections.abc import Callable

_SHORT, _LONG = 3, 8


def _is_latin(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith("LATIN")


def _with_letters(text: str) -> bool:
    return any(sign.isalpha() for sign in text)


GROUPS: dict[str, Callable[[str], bool]] = {
    "letters, space before": lambda text: _with_letters(text) and text.startswith(" "),
    "letters, no space before": lambda text: _with_letters(text) and not text.startswith(" "),
    f"up to {_SHORT} characters": lambda text: 0 < len(text.strip()) <= _SHORT,
    f"{_LONG} characters or more": lambda text: len(text.strip()) >= _LONG,
    "letters beyond Latin": lambda text: any(sign.isalpha() and not _is_latin(sign) for sign in text),
    "digits": lambda text: bool(text.strip()) and text.strip().isdigit(),
    "punctuation and signs": lambda text: bool(text.strip()) and not any(sign.isalnum() for sign in text),
}
"""By a token's text, leading space included; a token may be in several."""


def groups_of(text: str) -> tuple[str, ...]:
    """The groups that a token with this text is in."""
    return tuple(name for name, is_inside in GROUPS.items() if is_inside(text))
