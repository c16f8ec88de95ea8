"""Audits across models and seeds."""

from harness.reporting.figures.across import Across, Quantity

PAPER = Across(
    "audit",
    "Share of glitch tokens among the tokens tested, under-trained candidates that are verified, and ids that no text "
    "leads to.",
    (
        Quantity("glitch_rate", "glitch tokens (share)", is_share=False),
        Quantity("verified", "verified under-trained (tokens)", is_share=False),
        Quantity("unreachable", "unreachable (ids)", is_share=False),
    ),
)
