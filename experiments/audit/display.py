"""How a run of exp=audit is shown."""

from experiments.audit.figures import FIGURES, TABLES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
