"""What GlitchHunter finds and costs, across models and seeds."""

from harness.reporting.figures.across import Across, Quantity, Scale

PAPER = Across(
    "glitchhunter",
    "What GlitchHunter finds against the census, and its queries as a share of asking every token.",
    (
        Quantity("precision", "precision"),
        Quantity("recall", "recall"),
        Quantity("queries_fraction", "queries (share of the vocabulary)", Scale.FROM_ZERO),
    ),
)
