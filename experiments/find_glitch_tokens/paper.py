"""Lists of glitch tokens across models and seeds."""

from harness.reporting.figures.across import Across, Quantity

PAPER = Across(
    "find_glitch_tokens",
    "Glitch tokens asked and failed, those that are predicted, and the price as a share of asking every token.",
    (
        Quantity("confirmed", "asked and failed (tokens)", is_share=False),
        Quantity("predicted", "predicted (tokens)", is_share=False),
        Quantity("spent_share", "price (share of asking all)", is_share=False),
    ),
)
