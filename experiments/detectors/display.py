"""How a run of exp=detectors is shown."""

from collections.abc import Sequence

from experiments.detectors.figures import FIGURES
from experiments.detectors.tables import TABLES, names
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The census first, then every detector by F1."""
    metrics = run.metrics
    if not metrics.get("census/tested"):
        return [HeadlineRow("census", {"verdict": "uninformative: no task is within this model's reach"})]

    def cell(name: str, key: str) -> str:
        value = run.interval(f"{name}/{key}")
        return with_interval(*value, 2) if value[0] is not None else "not defined"

    def row(name: str) -> HeadlineRow:
        values = {
            "F1": cell(name, "f1"),
            "precision": number(metrics.get(f"{name}/precision"), 2) or "none reported",
            "recall": number(metrics.get(f"{name}/recall"), 2) or "not defined",
            "queries": number(metrics.get(f"{name}/queries_fraction"), 2),
        }
        return HeadlineRow(name, values)

    glitch = f"{metrics.get('census/glitch_tokens')} of {metrics.get('census/tested')} fail"
    first = HeadlineRow("census", {"F1": f"{glitch}: {with_interval(*run.interval('census/glitch_rate'), 2)}"})
    return [first, *map(row, sorted(names(run), key=lambda name: -(metrics.get(f"{name}/f1") or 0.0)))]


DISPLAY = Display(headline=headline, figures=FIGURES, tables=TABLES)
