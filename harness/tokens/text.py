"""A token's string made visible, for people to read anywhere."""

import unicodedata

_NAMED = {" ": " ", "\n": "⏎", "\t": "⇥"}
# Control, format (bidi marks, joiners), surrogate, private, unassigned; line and paragraph separators; odd spaces.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_SPACE = "␣"
_EMPTY = "(empty)"


def shown(text: str, limit: int = 40) -> str:
    """`text` on one line with everything invisible made visible, at most `limit` characters.

    Spaces at either end become `␣`, a line end `⏎`, a tab `⇥`; other control, format and bidi characters, odd spaces
    and half characters become escapes (a byte kept by `surrogateescape` as `\\xff`); a leading combining mark gets a
    circle to sit on. The result encodes as UTF-8; it is plain text: HTML must still be escaped.
    """
    if not text:
        return _EMPTY
    visible = "".join(_visible(character) for character in _mark_ends(text))
    if unicodedata.combining(visible[0]):
        visible = "◌" + visible
    if len(visible) <= limit:
        return visible
    half = (limit - 1) // 2
    return visible[: limit - 1 - half] + "…" + visible[len(visible) - half :]


def _mark_ends(text: str) -> str:
    inner = text.strip(" ")
    if not inner:
        return _SPACE * len(text)
    start = text.index(inner)
    return _SPACE * start + inner + _SPACE * (len(text) - start - len(inner))


def _visible(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if unicodedata.category(character) not in _ESCAPED_CATEGORIES:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        # Not \xNN: that is a byte that is no character.
        return f"\\u{code:04x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str) -> str:
    """A string of any length on one line with nothing invisible in it."""
    # `shown` cuts at its limit; an escape takes at most ten characters.
    return shown(text, 10 * len(text) + 1) if text else ""


def shorten(text: str, limit: int) -> str:
    """The beginning and end of a text around an ellipsis, at most `limit` characters."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 3
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :] if tail else ''}"
