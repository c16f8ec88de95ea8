"""How a run of exp=path_star is shown."""

from collections.abc import Sequence

from experiments.path_star import data
from experiments.path_star.figures import FIGURES, panels
from experiments.path_star.paper import PAPER_FIGURES, PAPER_TABLES
from experiments.path_star.tables import TABLES
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """What a run ends with: the whole answer compared with chance, and where it goes wrong."""
    whole = data.share(run, "exact_match")
    forced = [data.share(run, f"position_{node + 1}/teacher_forced").mean for node in range(len(data.nodes(run)))]
    rest = [value for at, value in enumerate(forced) if at != 1 and value is not None]
    values = {
        "exact match": with_interval(*whole, 2),
        "chance": number(data.chance(run), 2),
        "node 2": with_interval(forced[1], None, None, 2),
        "others min": number(min(rest, default=None), 2),
        "given 2": number(run.metrics.get("clever_hans/given_first"), 2) or "–",
    }
    return [HeadlineRow(f"{run.details['task']} {data.way(run).label}", values)]


def answer(run: StoredRun) -> Answer | None:
    """The whole answer beside guessing."""
    return Answer(
        f"{data.way(run).label}, {run.details['task']}: {with_interval(*data.share(run, 'exact_match'))} of graphs are "
        f"answered right, where guessing among the arms gives {number(data.chance(run), 2)}."
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    panels=panels,
    paper_figures=PAPER_FIGURES,
    paper_tables=PAPER_TABLES,
)
