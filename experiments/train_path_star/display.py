"""How a run of exp=train_path_star is shown."""

from experiments.train_path_star.figures import FIGURES, headline
from harness.reporting.display import Display

DISPLAY = Display(
    headline=headline,
    figures=FIGURES,
)
