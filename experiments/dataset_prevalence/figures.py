"""Pictures, tables and headline numbers of one dataset_prevalence run, from its stored files."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from harness.measure.formatting import number, with_interval
from harness.measure.intervals import wilson
from harness.reporting.display import Figure, Table
from harness.reporting.figures.style import COLOURS, ONE_COLUMN, new_figure
from harness.reporting.figures.tables import HIGH, LOW
from harness.reporting.figures.text import figure_text
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_MOST_BARS = 20


def draw_most_frequent(run: StoredRun) -> MatplotlibFigure | None:
    """The most frequent glitch tokens: occurrences, and documents they occur in."""
    records = run.records
    if not len(records):
        return None

    top = records.head(_MOST_BARS)
    figure = new_figure(ONE_COLUMN * 1.3, 0.9 + 0.17 * len(top))
    axes = figure.subplots()
    places = range(len(top))
    axes.barh(places, top["tokens"], height=0.72, color=COLOURS[5], label="occurrences")
    axes.plot(top["documents"], places, "o", color=COLOURS[0], markersize=3, label="documents it occurs in")
    axes.set_yticks(
        places, [f"{figure_text(text)}  ({number})" for text, number in zip(top["token"], top["id"], strict=True)]
    )
    axes.set_ylim(len(top) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    if top["tokens"].max() > 50 * max(int(top["documents"].min()), 1):
        axes.set_xscale("log")
        axes.set_xlim(left=0.5)
        axes.set_xlabel("number in the data set (log scale)")
    else:
        axes.set_xlim(left=0)
        axes.set_xlabel("number in the data set")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_spread(run: StoredRun) -> MatplotlibFigure | None:
    """How few tokens make up most occurrences: the cumulated share against the rank."""
    records = run.records
    if len(records) < 3:
        return None

    counts = records["tokens"].to_numpy()
    figure = new_figure()
    axes = figure.subplots()
    axes.plot(range(1, len(counts) + 1), counts.cumsum() / counts.sum(), color=COLOURS[1], drawstyle="steps-post")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("glitch tokens, most frequent first")
    axes.set_ylabel("share of all occurrences")
    return figure


def shares_table(run: StoredRun) -> pd.DataFrame | None:
    """Both shares with their intervals."""

    names = {
        "tokens": ("token_share", "glitch_token_occurrences", run.metrics.get("tokens")),
        "documents": ("document_share", "documents_with_glitch_tokens", _documents_with_text(run)),
    }
    rows = [
        {
            "of all": words,
            "glitch": run.metrics.get(hits),
            "n": n,
            "share": run.metrics.get(name),
            f"share{LOW}": run.metrics.get(f"{name}/ci_low"),
            f"share{HIGH}": run.metrics.get(f"{name}/ci_high"),
        }
        for words, (name, hits, n) in names.items()
    ]
    return pd.DataFrame(rows)


def _documents_with_text(run: StoredRun) -> int:
    return int(run.metrics.get("documents") or 0) - int(run.metrics.get("empty_documents") or 0)


def tokens_table(run: StoredRun) -> pd.DataFrame | None:
    """Every glitch token that occurs."""

    records = run.records
    if not len(records):
        return None
    n = _documents_with_text(run)
    shares = [wilson(int(found), n) for found in records["documents"]]
    return pd.DataFrame(
        {
            "id": records["id"],
            "token": records["token"],
            "occurrences": records["tokens"],
            "per million tokens": records["per_million"],
            "documents": records["documents"],
            "share of documents": [share.mean for share in shares],
            f"share of documents{LOW}": [share.low for share in shares],
            f"share of documents{HIGH}": [share.high for share in shares],
            "first in document": records["first_in"],
        }
    )


def data_table(run: StoredRun) -> pd.DataFrame | None:
    """What was read."""

    data = run.details.get("data")
    if not data:
        return None
    layouts = ", ".join(f"{name} ({n:,})" for name, n in data["layouts"].items())
    rows = {
        "data set": data["name"],
        "format": data["format"],
        "layouts (documents)": layouts or "none",
        "glitch tokens from": run.details["glitch_tokens"]["source"],
        "fingerprint": data["fingerprint"],
    }
    return pd.DataFrame({"": list(rows), "is": list(rows.values())})


def headline(run: StoredRun) -> Sequence[HeadlineRow]:
    """Both shares."""

    metrics = run.metrics

    def share(name: str) -> str:
        values = [metrics.get(key) for key in (name, f"{name}/ci_low", f"{name}/ci_high")]
        if values[0] is None:
            return "none: empty"
        scaled = [None if value is None else 100 * value for value in values]
        mean, low, high = scaled
        return f"{with_interval(mean, low, high)} %" if low is not None else f"{number(mean)} %"

    return [
        HeadlineRow(
            "tokens",
            {
                "glitch": f"{metrics['glitch_token_occurrences']:,} of {metrics['tokens']:,}",
                "share": share("token_share"),
            },
        ),
        HeadlineRow(
            "documents",
            {
                "glitch": f"{metrics['documents_with_glitch_tokens']:,} of {_documents_with_text(run):,}",
                "share": share("document_share"),
            },
        ),
        HeadlineRow(
            "glitch tokens met", {"glitch": f"{metrics['glitch_tokens_met']:,} of {metrics['glitch_tokens_known']:,}"}
        ),
    ]


FIGURES = (
    Figure(
        "most_frequent",
        f"The most frequent glitch tokens (at most {_MOST_BARS}), with their ids: how often each occurs, and in how "
        "many documents.",
        draw_most_frequent,
    ),
    Figure(
        "spread",
        "How few glitch tokens make up most of the occurrences.",
        draw_spread,
    ),
)
TABLES = (
    Table(
        "shares",
        "Share of glitch tokens, with 95 % intervals: of tokens (clustered by document) and of documents with any text "
        "(Wilson).",
        shares_table,
    ),
    Table("tokens", "Glitch tokens in the data set, the most frequent first (95 % Wilson intervals).", tokens_table),
    Table("data", "What was read.", data_table),
)
