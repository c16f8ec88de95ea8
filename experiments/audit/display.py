"""How a run of exp=audit is shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.audit.figures import FIGURES
from experiments.audit.paper import PAPER
from experiments.audit.tables import TABLES, reachable_glitches
from harness.measure.formatting import with_interval
from harness.reporting.asked import judged_cards, prompts_of
from harness.reporting.display import Answer, Asked, Display
from harness.reporting.words import CATEGORIES, VERDICTS, spaced
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The share of glitch tokens, the lists, the gate, the change."""
    metrics = run.metrics

    def share(key: str) -> str:
        return with_interval(*run.interval(key))

    tested = metrics.get("tested") or 0
    rows = [
        HeadlineRow(
            "glitch tokens",
            {
                "tokens": f"{metrics['glitch_tokens']:,} of {tested:,}" if tested else "uninformative",
                "share": share("glitch_rate"),
            },
        )
    ]
    if metrics.get("glitch_rate_reachable") is not None:
        reachable = {"tokens": f"{reachable_glitches(run):,}", "share": share("glitch_rate_reachable")}
        rows.append(HeadlineRow("of those that text leads to", reachable))
    verified = metrics.get("verified")
    of = f" of {metrics['candidates']:,} candidates"
    words = f"{verified:,}{of}" if verified is not None else "uninformative"
    rows.append(HeadlineRow("verified under-trained", {"tokens": words}))
    rows.append(HeadlineRow("unreachable", {"tokens": f"{metrics['unreachable']:,}"}))
    rows.append(HeadlineRow("listed for any reason", {"tokens": f"{metrics['listed']:,} of {metrics['ids']:,}"}))
    if metrics.get("compare/tokens"):
        changed = f"+{metrics['compare/became_glitch']:,} new, −{metrics['compare/repaired']:,} repaired"
        rows.append(
            HeadlineRow("against the other revision", {"tokens": changed, "share": share("compare/difference")})
        )
    if metrics.get("gate/passed") is not None:
        words = "passed" if metrics["gate/passed"] else "not passed (exit code 3)"
        allowed = f"at most {metrics['gate/max_glitch_rate']:g}"
        rows.append(HeadlineRow("gate", {"tokens": words, "share": allowed}))
    return rows


def answer(run: StoredRun) -> Answer | None:
    """The share of glitch tokens; the gate where there is one."""
    metrics, tested = run.metrics, run.metrics.get("tested") or 0
    passed = metrics.get("gate/passed")
    verdict = None if passed is None else bool(passed)
    allowed = "" if passed is None else f"; the gate allows {metrics['gate/max_glitch_rate']:g}"
    if not tested or metrics.get("glitch_rate") is None:
        found = f"Which tokens of {run.model} are glitch tokens can't be told: no wordings of two families count for it"
        return Answer(f"{found}{allowed}.", verdict)
    share = with_interval(*run.interval("glitch_rate"))
    found = f"{metrics['glitch_tokens']:,} of {tested:,} tokens of {run.model} are glitch tokens: a share of {share}"
    return Answer(f"{found}{allowed}.", verdict)


def asked(run: StoredRun) -> Asked:
    """What the census' wordings found; the answers in words are in the census' own report."""
    names = run.details["informative"]
    return Asked(judged_cards(run.record_rows(), names, _facts), prompts_of(run.details["questions"]))


def _facts(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "verdict": VERDICTS.get(str(row["verdict"])),
        "listed for": ", ".join(spaced(reason) for reason in row["reasons"]),
        "kind": CATEGORIES[row["category"]],
        "symptom": spaced(row["symptom"]),
        "indicator": row["indicator"],
        "rank by it": row["indicator_rank"],
        "largest probability when asked for": row["max_prob"],
        "shown in training": row["exposures"],
        "against the other revision": spaced(row["change"]),
    }


DISPLAY = Display(
    answer=answer,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
    asked=asked,
    paper_figures=PAPER.figures,
    paper_tables=PAPER.tables,
)
