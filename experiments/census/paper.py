"""Glitch tokens across models and seeds."""

from harness.reporting.figures.across import Across, Quantity

PAPER = Across(
    "census",
    "Share of the vocabulary that are glitch tokens (fail every wording that counts), of those that fail all of one "
    "family only, and of those that pass some wordings and fail others.",
    (
        Quantity("glitch_rate", "glitch tokens (share)", is_share=False),
        Quantity("undecided_rate", "undecided (share)", is_share=False),
        Quantity("prompt_dependent_share", "only by the wording (share)", is_share=False),
    ),
)
