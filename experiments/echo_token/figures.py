"""Pictures of one echo_token run, from its stored files."""

from matplotlib.figure import Figure as MatplotlibFigure

from experiments.echo_token.tables import SETTINGS, settings, success_key
from harness.reporting.display import Figure
from harness.reporting.figures.charts import IntervalRow
from harness.reporting.figures.families import colour_of, marker_of, pool_title
from harness.reporting.figures.layout import forest_figure
from harness.reporting.figures.style import ONE_COLUMN
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun


def draw_success(run: StoredRun) -> MatplotlibFigure | None:
    """Success rate of every pool, without the article's ban: what that shows is the ban, not the model."""
    names = pools_shown(run)
    rows = []
    for setting in (name for name in settings(run) if not name.startswith("article")):
        for pool in names:
            mean, low, high = run.interval(success_key(pool, setting))
            if mean is not None:
                label = f"{SETTINGS[setting]}: {pool_title(pool)}"
                rows.append(IntervalRow(label, mean, low, high, colour_of(pool, names), marker_of(pool, names)))
    if not rows:
        return None
    figure, axes = forest_figure(rows, "share of exact echoes", 1.55 * ONE_COLUMN, 0.26)
    axes.set_xlim(-0.06, 1.06)
    return figure


FIGURES = (
    Figure(
        "success",
        "Share of answers that repeat the input exactly, after identical trials in the prompt; 95 % intervals (Wilson "
        "over tokens; sampled: for answers that hang together by token). The article's ban on repeated 2-grams counts "
        "the prompt and so forbids the right answer: what it does stands in the table alone.",
        draw_success,
    ),
)
