"""How a run of exp=unused_logits is shown."""

from experiments.unused_logits.figures import FIGURES, TABLES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
