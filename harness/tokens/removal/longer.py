"""The choice that a removal leaves open. Imports nothing heavy, since configs are composed from it."""

from enum import Enum


class Longer(Enum):
    """What becomes of other tokens that were merged from a removed one."""

    REROUTE = "reroute"
    """Each is merged of two other tokens where its text falls into two; the rest become unreachable."""
    KEEP = "keep"
    """As `REROUTE`, and a token that others cannot do without is not removed."""
    LOSE = "lose"
    """They become unreachable, as in patches that only take merges away."""
