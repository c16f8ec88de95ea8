"""Numbers computed from weights alone that rank tokens by how little they were trained."""

from harness.glitch.indicators._formulas import Indicator, main_indicator, weight_indicators
from harness.glitch.indicators._unused import UnusedIds, known_unused_ids

__all__ = ["Indicator", "UnusedIds", "known_unused_ids", "main_indicator", "weight_indicators"]
