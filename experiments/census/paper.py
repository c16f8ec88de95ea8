"""Glitch tokens across models and seeds."""

from harness.reporting.figures.across import Across, Quantity, Scale
from harness.reporting.figures.by_exposures import ByExposures

PAPER = Across(
    "census",
    "Share of the vocabulary that are glitch tokens (fail every wording that counts), of those that fail all of one "
    "family only, and of those that pass some wordings and fail others.",
    (
        Quantity("glitch_rate", "glitch tokens (share)", Scale.FROM_ZERO),
        Quantity("undecided_rate", "undecided (share)", Scale.FROM_ZERO),
        Quantity("prompt_dependent_share", "only by the wording (share)", Scale.FROM_ZERO),
    ),
)
EXPOSURES = ByExposures(
    "census_by_exposures",
    "Share of tokens that fail the census against how often training showed them.",
    "glitch",
    "share that fails the census",
)
