"""How a run of exp=census is shown."""

from collections.abc import Sequence

from experiments.census.figures import FIGURES
from experiments.census.tables import TABLES, tasks
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The rate first, then every task."""
    metrics = run.metrics

    def rate(key: str) -> str:
        return with_interval(*run.interval(key))

    tested = metrics.get("tested") or 0
    verdict = f"{metrics.get('glitch_tokens')} of {tested}" if tested else "no verdict"
    rows = [HeadlineRow("glitch tokens", {"tokens": verdict, "share": rate("glitch_rate")})]
    for name in tasks(run):
        informative = metrics.get(f"{name}/informative")
        n_prompted = metrics.get(f"{name}/asked") or 0
        rows.append(
            HeadlineRow(
                f"pass {name}",
                {
                    "tokens": f"{metrics.get(f'{name}/passed')} of {n_prompted}" if n_prompted else "not asked",
                    "share": rate(f"{name}/pass_rate"),
                    "on well-known": number(metrics.get(f"{name}/calibration_pass_rate"))
                    + ("" if informative else " uninformative"),
                },
            )
        )
    return rows


DISPLAY = Display(headline=headline, figures=FIGURES, tables=TABLES)
