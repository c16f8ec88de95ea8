"""Glitch tokens in data sets, across models and data sets."""

from harness.reporting.figures.across import Across, Quantity

PAPER = Across(
    "dataset_prevalence",
    "Share of a data set's tokens that are glitch tokens, and of its documents that hold one.",
    (
        Quantity("token_share", "of tokens", is_share=False),
        Quantity("document_share", "of documents", is_share=False),
    ),
)
