"""The two rules by which a census judges; `verdict.py` says what they are."""

from enum import Enum

from harness.glitch.census.families import COPIED_WORDINGS
from harness.glitch.census.matching import RULE_VERSION
from harness.tokens.prompts import wording_versions


class VerdictRule(Enum):
    """How answers become a verdict."""

    AGREEMENT = "agreement"
    PUBLISHED = "published"


N_KNOWN = 240
"""Well-known tokens that a wording is tried on at most."""


def wording_inputs() -> dict[str, str]:
    """The rule and the wordings that verdicts depend on, for run ids: with others it is another run."""
    return {"rule": RULE_VERSION, **wording_versions(), "copied": ",".join(COPIED_WORDINGS)}
