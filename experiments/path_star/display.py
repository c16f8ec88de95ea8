"""How a run of exp=path_star is shown."""

from experiments.path_star.figures import FIGURES, PAPER_FIGURES, PAPER_TABLES, TABLES, headline, panels
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    panels=panels,
    paper_figures=PAPER_FIGURES,
    paper_tables=PAPER_TABLES,
)
