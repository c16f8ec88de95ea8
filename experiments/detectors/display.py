"""How a run of exp=detectors is shown."""

from experiments.detectors.figures import FIGURES
from experiments.detectors.tables import TABLES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
