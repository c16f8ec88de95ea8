"""Lists of glitch tokens across models and seeds."""

from harness.reporting.figures.across import Across, Quantity, Scale

PAPER = Across(
    "find_glitch_tokens",
    "Glitch tokens asked and failed, those that are predicted, and the price as a share of asking every token.",
    (
        Quantity("confirmed", "asked and failed (tokens)", Scale.FROM_ZERO),
        Quantity("predicted", "predicted (tokens)", Scale.FROM_ZERO),
        Quantity("spent_share", "price (share of asking all)", Scale.FROM_ZERO),
    ),
)
