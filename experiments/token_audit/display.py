"""How a run of exp=token_audit is shown."""

from experiments.token_audit.figures import FIGURES, TABLES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
