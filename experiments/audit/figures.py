"""Pictures, tables and headline numbers of one audit, from its stored files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from harness.measure.formatting import with_interval
from harness.reporting.display import Figure, Table
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, QUIET, new_figure
from harness.reporting.figures.tables import HIGH, LOW
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

REASONS = {
    "glitch": "glitch token: fails the census",
    "undertrained": "verified under-trained",
    "untrained_row": "untrained row, no text asks for it",
    "unreachable": "unreachable: encodes to something else",
    "no_token": "row without a token",
}
_SHORT = {
    "glitch": "glitch",
    "undertrained": "under-trained",
    "untrained_row": "untrained row",
    "unreachable": "unreachable",
    "no_token": "row without a token",
}
CATEGORIES = {
    "ok": "ordinary",
    "byte": "single byte",
    "utf8_fragment": "part of a character",
    "unreachable_one": "unreachable",
    "unreachable_several": "unreachable",
    "special": "special",
    "no_token": "row without a token",
}
_N_BINS = 40


def draw_reasons(run: StoredRun) -> MatplotlibFigure | None:
    """How many tokens are listed for each reason, and how many of those fail the census as well."""
    records = run.records
    counts = {name: int(run.metrics.get(f"reason/{name}") or 0) for name in REASONS}
    if not any(counts.values()):
        return None

    figure = new_figure(ONE_COLUMN * 1.4, 1.9)
    axes = figure.subplots()
    most = max(counts.values())
    for place, (name, n) in enumerate(counts.items()):
        listed = records[[name in reasons for reasons in records["reasons"]]] if n else records.head(0)
        failed = int((listed["glitch"] == True).sum()) if n else 0  # noqa: E712  (null is neither)
        axes.barh(place, n, height=0.66, color=COLOURS[5], label="listed" if place == 0 else None)
        axes.barh(
            place, failed, height=0.3, color=COLOURS[0], label="of these, fail the census" if place == 0 else None
        )
        axes.text(n + 0.015 * most, place, f"{n:,}", va="center", fontsize=6.5)
    axes.set_yticks(range(len(counts)), list(REASONS.values()))
    axes.set_ylim(len(counts) - 0.45, -0.6)
    axes.set_xlim(0, 1.14 * most)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("tokens")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_indicator(run: StoredRun) -> MatplotlibFigure | None:
    """The main indicator of tokens that fail the census and of those that pass."""

    glitch, values = run.arrays["glitch"], run.arrays["indicator"]
    if not (glitch >= 0).any():
        return None

    figure = new_figure(height=2.4)
    axes = figure.subplots()
    bins = np.linspace(values.min(), values.max(), _N_BINS).tolist()
    for verdict, colour, label in ((0, COLOURS[1], "passes"), (1, COLOURS[0], "fails")):
        of_kind = values[glitch == verdict]
        if len(of_kind):
            axes.hist(of_kind, bins=bins, histtype="stepfilled", color=colour, alpha=0.3)
            axes.hist(of_kind, bins=bins, histtype="step", color=colour, label=f"{label} the census ({len(of_kind):,})")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.6)
    axes.set_xlabel(f"{_words(run.details['main_indicator'])} (low: suspicious)")
    axes.set_ylabel("tokens")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _words(indicator: str) -> str:
    names = {"cosine": "cosine distance to unused rows", "input_norm": "length of the input row"}
    return names.get(indicator, indicator.replace("_", " "))


def draw_revisions(run: StoredRun) -> MatplotlibFigure | None:
    """Glitch tokens before and now, and what became of them."""
    compared = run.details.get("compared")
    if not compared or not run.metrics.get("compare/tokens"):
        return None

    figure = new_figure(ONE_COLUMN * 1.2, 1.5)
    axes = figure.subplots()
    both, became, repaired = compared["both"], compared["became"], compared["repaired"]
    axes.barh([0, 1], [both, both], color=QUIET, height=0.6, label=f"in both ({both:,})")
    axes.barh(0, repaired, left=both, color=COLOURS[2], height=0.6, label=f"repaired ({repaired:,})")
    axes.barh(1, became, left=both, color=COLOURS[0], height=0.6, label=f"new ({became:,})")
    axes.set_yticks([0, 1], ["the other revision", "this one"])
    axes.set_ylim(1.5, -0.5)
    axes.set_xlim(0, max(1, both + max(became, repaired)) * 1.05)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"glitch tokens of {run.metrics['compare/tokens']:,} asked in both")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def summary_table(run: StoredRun) -> pd.DataFrame:
    """The numbers a release is judged by."""

    metrics = run.metrics
    rows: list[dict[str, Any]] = [
        {"": f"{words}", "tokens": metrics.get(name)}
        for name, words in (
            ("ids", "ids in the vocabulary"),
            ("ok", "ordinary"),
            ("bytes", "single bytes"),
            ("utf8_fragments", "parts of a character"),
            ("unreachable", "unreachable"),
            ("special", "special"),
            ("no_token", "rows without a token"),
            ("candidates", "candidates by their weights"),
            ("verified", "verified under-trained"),
            ("tested", "tested by the census"),
        )
    ]
    for name, words, count in (
        ("glitch_rate", "glitch tokens, of all tested", metrics.get("glitch_tokens")),
        ("glitch_rate_reachable", "glitch tokens that text leads to, of all such tested", _reachable_glitches(run)),
    ):
        ends = {f"share{end}": metrics.get(f"{name}/ci_{key}") for end, key in ((LOW, "low"), (HIGH, "high"))}
        rows.append({"": words, "tokens": count, "share": metrics.get(name), **ends})
    table = pd.DataFrame(rows)
    table["tokens"] = table["tokens"].astype("Int64")
    return table


def _reachable_glitches(run: StoredRun) -> int | None:
    records = run.records
    if run.metrics.get("glitch_rate_reachable") is None:
        return None
    return int(((records["glitch"] == True) & records["is_reachable"]).sum())  # noqa: E712


def tokens_table(run: StoredRun) -> pd.DataFrame | None:
    """Every listed token with its reasons: what text leads to first, then by how suspicious the weights are."""

    records = run.records
    listed = records[[bool(reasons) for reasons in records["reasons"]]]
    if listed.empty:
        return None
    order = pd.DataFrame(
        {
            "passes": listed["glitch"] != True,  # noqa: E712
            "unreachable": ~listed["is_reachable"].astype(bool),
            "unverified": listed["verified"] != True,  # noqa: E712
            "rank": listed["indicator_rank"],
        }
    ).sort_values(["passes", "unreachable", "unverified", "rank"])
    listed = listed.loc[order.index]
    table: dict[str, Any] = {
        "id": listed["id"],
        "token": listed["token"],
        "reasons": [", ".join(_SHORT[name] for name in reasons) for reasons in listed["reasons"]],
        "kind": listed["category"].map(CATEGORIES),
        "fails": [_failed(run, row) for row in listed.to_dict("records")],
        "symptom": [str(value).replace("_", " ") if isinstance(value, str) else "" for value in listed["symptom"]],
        "indicator": listed["indicator"],
        "rank": listed["indicator_rank"],
        "max prob": listed["max_prob"].astype(float),
    }
    if listed["exposures"].notna().any():
        table["exposures"] = listed["exposures"].astype("Int64")
    if listed["change"].notna().any():
        table["change"] = [str(v).replace("_", " ") if isinstance(v, str) else "" for v in listed["change"]]
    return pd.DataFrame(table)


def _failed(run: StoredRun, row: dict[Any, Any]) -> str:
    # `is False` alone misses numpy's own False.
    names = run.details["informative"]
    return ", ".join(name for name in names if row[f"{name}/passed"] == False)  # noqa: E712


def changes_table(run: StoredRun) -> pd.DataFrame | None:
    """Tokens whose verdict is another one now."""

    records = run.records
    changed = records[records["change"].notna()]
    if changed.empty:
        return None
    return pd.DataFrame(
        {
            "id": changed["id"],
            "token": changed["token"],
            "change": changed["change"].map({"became_glitch": "became a glitch token", "repaired": "repaired"}),
            "fails now": [_failed(run, row) for row in changed.to_dict("records")],
            "kind": changed["category"].map(CATEGORIES),
            "indicator": changed["indicator"],
        }
    ).sort_values(["change", "id"])


def revisions_table(run: StoredRun) -> pd.DataFrame | None:
    """Both shares and their difference."""

    compared, metrics = run.details.get("compared"), run.metrics
    if not compared or not metrics.get("compare/tokens"):
        return None
    rows = []
    for name, words in (
        ("glitch_rate_there", f"share in {compared['name']}"),
        ("glitch_rate_here", "share in this revision"),
        ("difference", "difference (this one minus the other)"),
    ):
        key = f"compare/{name}"
        ends = {f"value{end}": metrics.get(f"{key}/ci_{side}") for end, side in ((LOW, "low"), (HIGH, "high"))}
        rows.append({"": words, "tokens": metrics["compare/tokens"], "value": metrics.get(key), **ends})
    return pd.DataFrame(rows)


def tasks_table(run: StoredRun) -> pd.DataFrame:
    """What the census' verdicts rest on."""

    sentences = run.details["calibration"]
    informative = run.details["informative"]
    return pd.DataFrame(
        [
            {"task": task, "counts": "yes" if task in informative else "no", "why": text}
            for task, text in sentences.items()
        ]
    )


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """The share of glitch tokens, the lists, the gate, the change."""

    metrics = run.metrics

    def share(key: str) -> str:
        return with_interval(metrics.get(key), metrics.get(f"{key}/ci_low"), metrics.get(f"{key}/ci_high"))

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
        reachable = {"tokens": f"{_reachable_glitches(run):,}", "share": share("glitch_rate_reachable")}
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


FIGURES = (
    Figure(
        "reasons",
        "Tokens listed for each reason (a token may have several), and how many of them fail the census.",
        draw_reasons,
    ),
    Figure(
        "indicator",
        "Main indicator from the weights, for tokens that fail the census and tokens that pass it; low is suspicious.",
        draw_indicator,
    ),
    Figure(
        "revisions", "Glitch tokens of the other revision and of this one, and what became of them.", draw_revisions
    ),
)
TABLES = (
    Table("summary", "The vocabulary and its glitch tokens (95 % Wilson intervals).", summary_table),
    Table(
        "revisions",
        "Glitch tokens of two revisions, on tokens and tasks common to both: shares with Wilson intervals, their "
        "difference with Newcombe's interval for paired proportions (95 %).",
        revisions_table,
    ),
    Table(
        "tokens", "Every token with a reason to look at it; those that fail and that text leads to first.", tokens_table
    ),
    Table("changes", "Tokens whose verdict changed against the other revision.", changes_table),
    Table("tasks", "What the census' verdicts rest on.", tasks_table),
)
