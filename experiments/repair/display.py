"""How a run of exp=repair is shown."""

from collections.abc import Sequence

from experiments.repair.figures import FIGURES
from experiments.repair.paper import PAPER
from experiments.repair.tables import TABLES
from harness.glitch.repair.choices import UNTOUCHED
from harness.measure.formatting import with_interval
from harness.reporting.asked import prompts_of
from harness.reporting.display import Answer, Asked, Display
from harness.reporting.words import spaced
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_SHOWN = {
    "repaired": "repair_rate",
    "healthy harmed": "healthy_harmed",
    "perplexity": "perplexity_change",
}


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row a method."""
    if not run.details["methods"]:
        return [HeadlineRow("nothing mended", {"glitch tokens": "none is known"})]
    return [
        HeadlineRow(
            one["name"],
            {label: with_interval(*run.interval(f"{one['name']}/{key}")) for label, key in _SHOWN.items()},
        )
        for one in run.details["methods"]
    ]


def answer(run: StoredRun) -> Answer | None:
    """What repairs most, and what that costs."""
    metrics = run.metrics
    known = [one["name"] for one in run.details["methods"] if metrics.get(f"{one['name']}/repair_rate") is not None]
    methods = [name for name in known if name != UNTOUCHED]
    if not methods:
        return Answer(f"Nothing was mended: no glitch token of {run.model} is known, or no method could be run on it.")
    best = max(methods, key=lambda name: metrics[f"{name}/repair_rate"])
    untouched = f" (untouched, asked again: {_share(run, f'{UNTOUCHED}/repair_rate')})" if UNTOUCHED in known else ""
    of = f"of {len(methods)} methods {spaced(best)} repairs most" if len(methods) > 1 else f"{spaced(best)} repairs"
    harmed, perplexity = (_share(run, f"{best}/{name}") for name in ("healthy_harmed", "perplexity_change"))
    damage = " and ".join(
        part
        for part in (
            harmed and f"of healthy tokens it harms {harmed}",
            perplexity and f"it changes the perplexity by {perplexity}",
        )
        if part
    )
    return Answer(
        f"Of {run.model}'s glitch tokens {of}: {_share(run, f'{best}/repair_rate')}{untouched}"
        f"{'; ' if damage else ''}{damage}."
    )


def _share(run: StoredRun, key: str) -> str:
    return with_interval(*run.interval(key))


def asked(run: StoredRun) -> Asked:
    """The prompts alone: answers are not stored."""
    return Asked((), prompts_of(run.details.get("questions", {})))


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    asked=asked,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
