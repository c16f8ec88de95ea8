"""Strings from vocabularies and configs made fit for a picture or a LaTeX table."""

import re
import unicodedata
from functools import cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from harness.tokens.text import shorten, visible

_KEY = re.compile(r"(?:^|(?<= ))([\w.]+)=")

# What LaTeX reads as a command, and the few signs of our own captions that need one.
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "−": r"$-$",
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "→": r"$\rightarrow$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "␣": r"\textvisiblespace{}",
    "⏎": r"$\hookleftarrow$",
    "⇥": r"$\mapsto$",
}


@cache
def _drawable() -> frozenset[int]:
    """Code points of the font that pictures are set in."""

    path = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans"))
    return frozenset(FT2Font(path).get_charmap())


def figure_text(text: str, limit: int = 24) -> str:
    """A string that a picture can hold: nothing invisible, no box for a missing glyph, no reordering, no mathematics.

    Longer strings keep their beginning and end around an ellipsis.
    """
    drawable = "".join(_for_picture(char) for char in visible(text))
    return shorten(drawable, limit).replace("$", r"\$")


def setting_text(other: str) -> str:
    """What distinguishes a setting as words: `exp.seq_len=50 exp.n_shots=3` is `seq len 50, 3 shots`."""
    parts = _KEY.split(other)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return ", ".join(_setting_words(key.rsplit(".", 1)[-1], value.strip()) for key, value in pairs)


def _setting_words(key: str, value: str) -> str:
    if key.startswith("n_"):
        counted = key.removeprefix("n_").replace("_", " ")
        return f"{value} {counted.removesuffix('s') if value == '1' else counted}"
    return f"{key.replace('_', ' ')} {value}"


def _for_picture(char: str) -> str:
    # matplotlib lays characters out one by one from the left: right-to-left text would come out backwards.
    backwards = unicodedata.bidirectional(char) in ("R", "AL", "AN")
    if backwards or unicodedata.combining(char) or ord(char) not in _drawable():
        return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
    return char


def latex_text(text: str) -> str:
    """A string that LaTeX typesets as it stands, with any engine: what its fonts may lack becomes `[U+....]`."""
    return "".join(_LATEX.get(char) or (char if _typeset(char) else f"[U+{ord(char):04X}]") for char in visible(text))


def _typeset(char: str) -> bool:
    return " " <= char <= "~" or ("À" <= char <= "ÿ" and char.isalpha())
