"""The two rules by which a census judges; `verdict.py` says what they are."""

from enum import Enum


class VerdictRule(Enum):
    """How answers become a verdict."""

    AGREEMENT = "agreement"
    PUBLISHED = "published"


N_KNOWN = 240
"""Well-known tokens that a wording is tried on at most."""
