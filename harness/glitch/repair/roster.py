"""Every method there is, in the order they are shown. A new one is a file with its class, a line here and its name in
`choices.py`."""

from harness.glitch.repair.choices import End, GradientSettings, Half, ProberSettings
from harness.glitch.repair.glitchprober import GlitchProberRepair
from harness.glitch.repair.gradient import GradientRows
from harness.glitch.repair.mean_rows import MeanRows
from harness.glitch.repair.merge_pruning import MergePruning
from harness.glitch.repair.method import RepairMethod
from harness.glitch.repair.piece_rows import PieceRows
from harness.glitch.repair.random_rows import RandomRows
from harness.glitch.repair.rescaled_rows import RescaledRows
from harness.glitch.repair.spelling_rows import SpellingRows
from harness.glitch.repair.untouched import Untouched
from harness.tokens.removal.longer import Longer

_ROWS = (MeanRows, PieceRows, SpellingRows, RescaledRows, RandomRows)


def all_methods(gradient: GradientSettings, prober: ProberSettings) -> dict[str, RepairMethod]:
    """Every method by its name, with these settings."""
    found: list[RepairMethod] = [Untouched(), *(kind(end) for kind in _ROWS for end in End), GradientRows(gradient)]
    found += [GlitchProberRepair(prober, half) for half in Half]
    found += [MergePruning(longer) for longer in Longer]
    return {method.name: method for method in found}
