"""Families of wordings, and those that take no words."""

from collections.abc import Iterable
from enum import Enum

LEAST_FAMILIES = 2
"""Families of wordings that a glitch token must fail."""

COPIED_WORDINGS = {"copied_1": 1, "copied_3": 3}
"""Wordings without words: the token in a random sequence that has occurred so often before it is asked."""


class WordingFamily(Enum):
    """Ways of asking that may fail for the same reason: what is failed in two families is not the wording's doing."""

    ASKED = "asked"
    """In words, no example shown."""
    ECHOED = "echoed"
    """After echoes of the very token."""
    COPIED = "copied"
    """From a sequence, without words."""


def can_decide(families: Iterable[WordingFamily | str]) -> bool:
    """Whether wordings of these families, those that count, can make a glitch token of any."""
    return len(set(families)) >= LEAST_FAMILIES
