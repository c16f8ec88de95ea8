"""Tokens that are not copied, across models and seeds."""

from harness.reporting.figures.across import Across, Quantity
from harness.reporting.figures.by_exposures import ByExposures

PAPER = Across(
    "copy_map",
    "Share of tokens that are not copied in random sequences seen twice, beside that of well-known tokens that are, "
    "and of the lowest ones that are not copied when asked again.",
    (
        Quantity("not_copied_share", "not copied (share)"),
        Quantity("calibration/copied_share", "well-known, copied (share)"),
        Quantity("worst/not_copied_share", "lowest, asked again: not copied"),
    ),
)
EXPOSURES = ByExposures(
    "copy_map_by_exposures",
    "Share of tokens that are not copied against how often training showed them.",
    "not_copied",
    "share not copied",
)
