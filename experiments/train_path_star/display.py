"""How a run of exp=train_path_star is shown."""

from experiments.train_path_star.figures import FIGURES, way
from harness.measure.formatting import number
from harness.reporting.display import Answer, Display
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> list[HeadlineRow]:
    """Steps, loss and the last probe."""
    return [
        HeadlineRow(
            f"{run.details['task']} {way(run).label}",
            {
                "steps": str(run.metrics["steps"]),
                "loss (nats)": number(run.metrics["final_loss"], 4),
                "exact match (probe)": number(run.metrics["probe/exact_match"], 3),
            },
        )
    ]


def answer(run: StoredRun) -> Answer | None:
    """The last probe."""
    right = number(run.metrics["probe/exact_match"], 3)
    probed = f"{right} of probe graphs are answered right" if right else "no graph was probed"
    return Answer(f"{way(run).label}, {run.details['task']}: after {run.metrics['steps']:,} steps {probed}.")


DISPLAY = Display(answer=answer, headline=headline, figures=FIGURES)
