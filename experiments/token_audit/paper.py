"""Kinds of id across tokenizers."""

from harness.reporting.figures.across import Across, Quantity, Scale

PAPER = Across(
    "token_audit",
    "Ids that no text leads to, parts of a character, rows of the embedding without a token, and bytes that do not "
    "come back from encoding and decoding.",
    (
        Quantity("unreachable", "unreachable (ids)", Scale.FROM_ZERO),
        Quantity("utf8_fragments", "parts of a character (ids)", Scale.FROM_ZERO),
        Quantity("no_token", "rows without a token", Scale.FROM_ZERO),
        Quantity("lost/bytes", "bytes lost", Scale.FROM_ZERO),
    ),
)
