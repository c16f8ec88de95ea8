"""How a run of exp=train_pocket is shown."""

from experiments.train_pocket.figures import FIGURES
from experiments.train_pocket.tables import ORIGINS, TABLES, by_exposures
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> list[HeadlineRow]:
    """Copying at both ends of the exposures, and the tasks on tokens held out of them."""
    rows = [
        HeadlineRow(
            f"{bucket} exposures, {origin}",
            {"copy gain": f"{values['copy_gain_cued']:.2f}", "copy accuracy": f"{values['copy_accuracy_cued']:.3f}"},
        )
        for origin in ORIGINS
        for bucket, values in _ends(by_exposures(run, origin))
    ]
    rows += [
        HeadlineRow(task, {"held out": f"{rate['passed']}/{rate['n']}"})
        for task, rate in run.details["tasks_held_out"].items()
        if rate["n"]
    ]
    score, head = run.metrics["induction_score_max"], run.metrics["induction_head"]
    return [*rows, HeadlineRow("induction score", {"value": f"{score:.3f}", "head": str(head)})]


def _ends(buckets: dict[str, dict[str, float]]) -> list[tuple[str, dict[str, float]]]:
    items = list(buckets.items())
    return items if len(items) < 2 else [items[0], items[-1]]


def answer(run: StoredRun) -> Answer | None:
    """Copying at both ends of the exposures."""
    ends = [
        f"shown {bucket} times with an accuracy of {values['copy_accuracy_cued']:.2f}"
        for bucket, values in _ends(by_exposures(run, "natural"))
    ]
    if not ends:
        return None
    return Answer(f"The organism copies natural tokens {', those '.join(ends)}.")


DISPLAY = Display(answer=answer, headline=headline, figures=FIGURES, tables=TABLES)
