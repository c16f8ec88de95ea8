"""How a run of exp=glitchhunter is shown."""

from experiments.glitchhunter.figures import FIGURES, TABLES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
