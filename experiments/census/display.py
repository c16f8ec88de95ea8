"""How a run of exp=census is shown."""

from experiments.census.figures import FIGURES, TABLES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
