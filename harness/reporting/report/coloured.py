"""Sequences of tokens coloured by log-prob, as a page holds them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.measure.formatting import number
from harness.reporting.display import ColouredText
from harness.tokens.text import visible

_DARKEST = 0.85
"""Opacity of the lowest value: the token is still read on it."""


@dataclass(frozen=True)
class PageToken:
    """One token."""

    text: str
    opacity: str
    """Of its colour, from 0 (white)."""
    value: str
    """As read when it is hovered over; empty without one."""


@dataclass(frozen=True)
class PageText:
    """A sequence as a page holds it."""

    title: str
    caption: str
    tokens: tuple[PageToken, ...]


def page_texts(texts: Sequence[ColouredText]) -> list[PageText]:
    """All on one scale, from 0 to the lowest value of any, so that they can be compared."""
    finite = [text.values[np.isfinite(text.values)] for text in texts]
    lowest = min((float(values.min()) for values in finite if len(values)), default=0.0)
    return [_page_text(text, lowest) for text in texts]


def _page_text(text: ColouredText, lowest: float) -> PageText:
    tokens = []
    for token, value in zip(text.tokens, text.values.tolist(), strict=True):
        share = abs(value / lowest) if lowest and np.isfinite(value) else 0.0
        tokens.append(PageToken(visible(token), f"{_DARKEST * share:.3f}", number(value, 2)))
    scale = f" White: 0 nats or no value; darkest: {number(lowest, 1)} nats."
    return PageText(visible(text.title), visible(text.caption) + scale, tuple(tokens))
