"""How a run of exp=repeat_tokens is shown."""

from experiments.repeat_tokens.figures import FIGURES, headline, panels
from experiments.repeat_tokens.paper import PAPER_FIGURES, PAPER_TABLES
from experiments.repeat_tokens.tables import TABLES
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    panels=panels,
    paper_figures=PAPER_FIGURES,
    paper_tables=PAPER_TABLES,
)
