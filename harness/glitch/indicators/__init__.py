"""Numbers computed from weights alone that rank tokens by how little they were trained."""

from harness.glitch.indicators._formulas import Indicator, main_indicator, weight_indicators
from harness.glitch.indicators._reference_check import LeftOut, ReferenceCheck, check_reference
from harness.glitch.indicators._unused import UnusedIds, known_unused_ids

__all__ = [
    "Indicator",
    "LeftOut",
    "ReferenceCheck",
    "UnusedIds",
    "check_reference",
    "known_unused_ids",
    "main_indicator",
    "weight_indicators",
]
