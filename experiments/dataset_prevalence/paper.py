"""Glitch tokens in data sets, across models and data sets."""

from harness.reporting.figures.across import Across, Quantity, Scale

PAPER = Across(
    "dataset_prevalence",
    "Share of a data set's tokens that are glitch tokens, and of its documents that hold one.",
    (
        Quantity("token_share", "glitch tokens (share of tokens)", Scale.FROM_ZERO),
        Quantity("document_share", "holds one (share of documents)", Scale.FROM_ZERO),
    ),
)
