"""How a run of exp=dataset_prevalence is shown."""

from experiments.dataset_prevalence.figures import FIGURES, TABLES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
