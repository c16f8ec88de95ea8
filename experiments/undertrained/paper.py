"""Verified under-trained tokens across models and seeds."""

from harness.reporting.figures.across import Across, Quantity, Scale

PAPER = Across(
    "undertrained",
    "Candidates by the weights, and how many of them the model gives less than 0.01 at every place of three prompts "
    "that ask for them; random tokens beside them.",
    (
        Quantity("candidates_ordinary", "candidates (tokens)", Scale.FROM_ZERO),
        Quantity("verified", "verified (tokens)", Scale.FROM_ZERO),
        Quantity("controls_verified", "random tokens, verified", Scale.FROM_ZERO),
    ),
)
