"""What readers call the things that several experiments store under short names."""

from typing import Any

CATEGORIES = {
    "ok": "ordinary",
    "byte": "single byte",
    "utf8_fragment": "part of a character",
    "unreachable_one": "unreachable",
    "unreachable_several": "unreachable",
    "special": "special",
    "no_token": "row without a token",
}
"""Kinds of id (`harness.tokens.vocabulary_audit.Category`), in the order in which they are shown."""

CATEGORY_COUNTS = {
    "ok": "ordinary",
    "bytes": "single bytes",
    "utf8_fragments": "parts of a character",
    "unreachable": "unreachable",
    "special": "special",
    "no_token": "rows without a token",
}
"""Metrics that count ids of a kind."""

INDICATORS = {
    "input_norm": "length of the input row",
    "cosine": "cosine distance to unused rows",
    "centred_cosine": "centred cosine distance",
    "cosine_without_first_pc": "cosine distance without 1st PC",
    "l2": "distance to unused rows",
}
"""Numbers from the weights (`harness.glitch.indicators.Indicator`), in the order in which they are shown."""


VERDICTS = {"not_glitch": "passes", "glitch": "glitch token", "undecided": "undecided", "no_verdict": "no verdict"}
"""Of a census (`harness.glitch.census.verdict.Verdict`), in the order in which points of a plane are coloured."""


def spaced(name: Any) -> str:
    """A stored name such as `spelling_mistake` as words; empty where there is none (None, NaN)."""
    return name.replace("_", " ") if isinstance(name, str) else ""


def yes_no(value: Any) -> str:
    """A truth value in a table."""
    return "yes" if value else "no"
