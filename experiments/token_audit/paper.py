"""Kinds of id across tokenizers."""

from harness.reporting.figures.across import Across, Quantity

PAPER = Across(
    "token_audit",
    "Ids that no text leads to, parts of a character, rows of the embedding without a token, and bytes that do not "
    "come back from encoding and decoding.",
    (
        Quantity("unreachable", "unreachable (ids)", is_share=False),
        Quantity("utf8_fragments", "parts of a character (ids)", is_share=False),
        Quantity("no_token", "rows without a token", is_share=False),
        Quantity("lost/bytes", "bytes lost", is_share=False),
    ),
)
