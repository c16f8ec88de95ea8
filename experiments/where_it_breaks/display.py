"""How a run of exp=where_it_breaks is shown."""

from collections.abc import Sequence

from experiments.where_it_breaks.figures import FIGURES
from experiments.where_it_breaks.paper import PAPER
from experiments.where_it_breaks.tables import TABLES, prefix
from harness.measure.formatting import number, with_interval
from harness.reporting.display import Answer, Display
from harness.reporting.pools import pools_shown
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_SHOWN = {
    "input mended": "mend_input",
    "all patterns": "patterns_all",
    "output mended": "mend_output",
    "both ends mended": "mend_both",
}
"""One of each kind, named beforehand: the best of many would flatter."""


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """One row a pool: what is lost, and what share of it mending each part restores."""
    rows = []
    for pool in pools_shown(run):
        before = prefix(run, pool)
        own, partner = (
            number(run.metrics[f"{before}{key}"], 2) for key in ("identity_effect", "identity_effect_partner")
        )
        values = {"identity effect (partners)": f"{own} ({partner})"}
        if f"{before}decoded/own" in run.metrics:
            decoded = (number(run.metrics[f"{before}decoded/{whose}"], 2) for whose in ("own", "partner"))
            values["found in the state (partners)"] = "{} ({})".format(*decoded)
        for label, name in _SHOWN.items():
            if f"{before}restored/{name}" in run.metrics:
                found = with_interval(*run.interval(f"{before}restored/{name}"), 2)
                values[f"restored: {label}"] = found or "–"
        rows.append(HeadlineRow(pool, values))
    return rows


def answer(run: StoredRun) -> Answer | None:
    """What each mended part restores, for the first pool."""
    pools = pools_shown(run)
    if not pools:
        return None
    before = prefix(run, pools[0])
    restored = [
        f"{label} {found}"
        for label, name in _SHOWN.items()
        if (found := with_interval(*run.interval(f"{before}restored/{name}"), 2))
    ]
    own, partner = (
        with_interval(*run.interval(f"{before}{key}"), 1) for key in ("identity_effect", "identity_effect_partner")
    )
    if not own or not partner:
        return None
    parts = ", ".join(restored) if restored else "nothing could be put in place of theirs"
    return Answer(
        f"In {run.model} the identity effect of {pools[0]} tokens is {own} nats, of well-known partners in their "
        f"places {partner}; shares of this difference that parts of a partner's run restore: {parts}."
    )


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
