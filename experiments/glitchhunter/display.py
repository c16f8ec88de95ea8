"""How a run of exp=glitchhunter is shown."""

from experiments.glitchhunter.figures import FIGURES
from experiments.glitchhunter.tables import TABLES
from harness.reporting.display import Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> list[HeadlineRow]:
    """What was found at what cost, compared with a census."""
    metrics = run.metrics
    rows = [HeadlineRow("communities of the first graph", {"value": f"{metrics['graph/communities']:,}"})]
    if not metrics.get("informative"):
        return rows
    rows += [
        HeadlineRow("glitch tokens found", {"value": f"{metrics['found']:,}"}),
        HeadlineRow("queries", {"value": f"{metrics['queries']:,}"}),
        HeadlineRow("queries, of asking every token", {"value": f"{metrics['queries_fraction']:.1%}"}),
    ]
    for name in ("precision", "recall"):
        mean, low, high = run.interval(name)
        if mean is None:
            continue
        ends = f"[{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
        rows.append(HeadlineRow(f"{name} against the census", {"value": f"{mean:.3f}", "95 %": ends}))
    return rows


DISPLAY = Display(headline=headline, figures=FIGURES, tables=TABLES)
