"""How a run of exp=glitchhunter is shown."""

from collections.abc import Sequence

import numpy as np

from experiments.glitchhunter.figures import FIGURES
from experiments.glitchhunter.paper import PAPER
from experiments.glitchhunter.tables import TABLES
from harness.measure.formatting import with_interval
from harness.reporting.display import Answer, Display, PointCloud
from harness.reporting.points import Axis
from harness.reporting.words import VERDICTS
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


def answer(run: StoredRun) -> Answer | None:
    """What was found for what price, and how right it is."""
    metrics = run.metrics
    if not metrics.get("informative"):
        return Answer(f"GlitchHunter's question does not count for {run.model}: it says nothing of its tokens.")
    known = [
        f"{name} {with_interval(*run.interval(name))}"
        for name in ("precision", "recall")
        if metrics.get(name) is not None
    ]
    against = f": {', '.join(known)} against the census" if known else ""
    return Answer(
        f"GlitchHunter finds {metrics['found']:,} glitch tokens of {run.model} with {metrics['queries']:,} queries, "
        f"{100 * metrics['queries_fraction']:.1f} % of asking every token{against}."
    )


def clouds(run: StoredRun) -> Sequence[PointCloud]:
    """The map of the embedding, by verdict."""
    arrays = run.arrays
    if "xy" not in arrays or not run.metrics.get("informative"):
        return ()
    by_census = "census" in arrays
    verdict = arrays["census" if by_census else "verdict"].astype(np.int64)
    missing = list(VERDICTS).index("no_verdict")
    last = VERDICTS["no_verdict"] if by_census else "not asked"
    names = run.details["tokens"]
    return (
        PointCloud(
            "map of the embedding",
            f"Verdicts of the {'census' if by_census else 'hunt'}; the map shows which rows lie close together, its "
            "axes have no meaning. Named are the tokens that the hunt found.",
            Axis(""),
            Axis(""),
            (*list(VERDICTS.values())[:missing], last),
            arrays["ids"],
            tuple(names.get(str(token), "") for token in arrays["ids"].tolist()),
            arrays["xy"][:, 0].astype(np.float64),
            arrays["xy"][:, 1].astype(np.float64),
            np.where(verdict < 0, missing, verdict),
        ),
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    clouds=clouds,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
