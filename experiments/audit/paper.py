"""Audits across models and seeds."""

from harness.reporting.figures.across import Across, Quantity, Scale

PAPER = Across(
    "audit",
    "Share of glitch tokens among the tokens tested, under-trained candidates that are verified, and ids that no text "
    "leads to.",
    (
        Quantity("glitch_rate", "glitch tokens (share)", Scale.FROM_ZERO),
        Quantity("verified", "verified under-trained (tokens)", Scale.FROM_ZERO),
        Quantity("unreachable", "unreachable (ids)", Scale.FROM_ZERO),
    ),
)
