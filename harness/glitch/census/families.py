"""Families of wordings."""

from enum import Enum


class WordingFamily(Enum):
    """Ways of asking that may fail for the same reason: what is failed in two families is not the wording's doing."""

    ASKED = "asked"
    """In words, no example shown."""
    ECHOED = "echoed"
    """After echoes of the very token."""
    COPIED = "copied"
    """From a sequence, without words."""
