"""The choice that a removal leaves open. Imports nothing heavy, since configs are composed from it."""

from enum import Enum


class Longer(Enum):
    """What becomes of other tokens that are merged from a removed one.

    A token that is nearly always merged on is hardly ever shown to a model, and so looks like one to be removed; common
    words may be made of it.
    """

    KEEP = "keep"
    """Each is merged of two other tokens where its text falls into two; what the rest need is not removed."""
    REROUTE = "reroute"
    """The same, and the rest become unreachable."""
    LOSE = "lose"
    """They become unreachable, as in patches that only take merges away."""
