"""Pictures, tables and headline numbers of one token_audit run, from its stored files."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from harness.reporting.display import Figure, Table
from harness.reporting.figures.style import TWO_COLUMNS, colour_of, new_figure
from harness.runs.results.headline import HeadlineRow
from harness.runs.results.stored_run import StoredRun

_BYTE = "byte"
_WORDS = {
    "ok": "ordinary",
    "byte": "single byte",
    "utf8_fragment": "part of a character",
    "unreachable_one": "unreachable: one other token",
    "unreachable_several": "unreachable: several tokens",
    "special": "special",
    "no_token": "row without a token",
}
_BYTE_WORDS = {"ascii": "ASCII", "utf8": "UTF-8", "unused_utf8": "in no UTF-8 text"}


def headline(run: StoredRun) -> list[HeadlineRow]:
    """Counts and shares of each kind."""
    total = run.metrics.get("ids") or 0
    names = {
        "ok": "ordinary",
        "bytes": "single bytes",
        "utf8_fragments": "parts of a character",
        "unreachable": "unreachable",
        "special": "special",
        "no_token": "rows without a token",
    }
    return [
        HeadlineRow(words, {"ids": f"{count:,}", "share": f"{count / total:.2%}" if total else ""})
        for name, words in names.items()
        if (count := run.metrics.get(name)) is not None and (count or name != "no_token")
    ]


def draw_categories(run: StoredRun) -> MatplotlibFigure | None:
    """How many ids are of each kind, and where in the vocabulary they are."""

    if run.records.empty:
        return None
    present = [name for name in _WORDS if (run.records["category"] == name).any()]
    figure = new_figure(TWO_COLUMNS, 0.9 + 0.27 * len(present))
    counts, places = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    _draw_counts(counts, run, present)
    _draw_places(places, run, present)
    return figure


def _draw_counts(axes: Axes, run: StoredRun, present: list[str]) -> None:

    categories = run.records["category"]
    for row, name in enumerate(present):
        n = int((categories == name).sum())
        axes.barh(row, n - 0.5, height=0.62, left=0.5, color=colour_of(name, list(_WORDS)))
        axes.text(n * 1.2, row, f"{n:,}", va="center", fontsize=6.5)
    axes.set_yticks(range(len(present)), [_WORDS[name] for name in present])
    axes.set_ylim(len(present) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(0.5, len(categories) * 12)
    axes.set_xlabel("ids (log scale)")
    axes.tick_params(axis="y", length=0)


def _draw_places(axes: Axes, run: StoredRun, present: list[str]) -> None:

    for row, name in enumerate(present):
        ids = run.records.loc[run.records["category"] == name, "id"].to_numpy()
        colour = colour_of(name, list(_WORDS))
        # Lines of one id each would be thousands; neighbours are drawn as one stretch.
        starts, ends = _stretches(ids)
        widths = [max(end - start, len(run.records) / 600) for start, end in zip(starts, ends, strict=True)]
        axes.broken_barh(list(zip(starts, widths, strict=True)), (row - 0.31, 0.62), color=colour, linewidth=0)
    axes.set_xlim(0, len(run.records))
    axes.set_xlabel("id (a mark is at least a pixel wide)")
    axes.tick_params(axis="y", length=0)


def _stretches(ids: object) -> tuple[list[int], list[int]]:
    """First ids and ends (exclusive) of the runs of consecutive ids."""

    array = np.asarray(ids, dtype=np.int64)
    breaks = np.flatnonzero(np.diff(array) != 1)
    starts = array[np.concatenate(([0], breaks + 1))]
    ends = array[np.concatenate((breaks, [len(array) - 1]))] + 1
    return starts.tolist(), ends.tolist()


def categories(run: StoredRun) -> pd.DataFrame | None:
    """Each kind with its count, share and types."""

    records = run.records
    if records.empty:
        return None
    rows = []
    for name, words in _WORDS.items():
        members = records[records["category"] == name]
        rows.append({"category": words, "ids": len(members), "share": len(members) / len(records)})
        if name == _BYTE:
            for kind, text in _BYTE_WORDS.items():
                n = int((members["byte_type"] == kind).sum())
                rows.append({"category": f"single byte, {text}", "ids": n, "share": n / len(records)})
    return pd.DataFrame(rows)


def byte_tokens(run: StoredRun) -> pd.DataFrame | None:
    """The tokens that stand for one byte."""

    members = _members(run, _BYTE)
    if members is None:
        return None
    ordered = members.sort_values("byte")
    return pd.DataFrame(
        {
            "byte": [f"0x{int(byte):02X}" for byte in ordered["byte"]],
            "id": ordered["id"].to_numpy(),
            "type": [_BYTE_WORDS[kind] for kind in ordered["byte_type"]],
            "text": ordered["raw"].to_numpy(),
        }
    )


def special_tokens(run: StoredRun) -> pd.DataFrame | None:
    """The special tokens."""
    members = _members(run, "special")
    return None if members is None else members[["id", "text"]].reset_index(drop=True)


def fragments(run: StoredRun) -> pd.DataFrame | None:
    """Tokens that are part of a character, and what their damaged text encodes to."""
    return _with_encoding(run, "utf8_fragment")


def unreachable(run: StoredRun) -> pd.DataFrame | None:
    """Tokens that no text leads to, and what their text encodes to instead."""
    return _with_encoding(run, "unreachable_one", "unreachable_several")


def genuine_replacements(run: StoredRun) -> pd.DataFrame | None:
    """Ordinary tokens whose text really holds U+FFFD."""
    members = _members(run, "ok")
    if members is None:
        return None
    members = members[members["text"].str.contains("\ufffd", regex=False)]
    return None if members.empty else members[["id", "text"]].reset_index(drop=True)


def _members(run: StoredRun, *names: str) -> pd.DataFrame | None:
    records = run.records
    if records.empty:
        return None
    members = records[records["category"].isin(names)]
    return None if members.empty else members


def _with_encoding(run: StoredRun, *names: str) -> pd.DataFrame | None:

    members = _members(run, *names)
    if members is None:
        return None
    texts = dict(zip(run.records["id"], run.records["raw"], strict=True))
    return pd.DataFrame(
        {
            "id": members["id"].to_numpy(),
            "text": members["raw"].to_numpy(),
            "encodes to": [" ".join(str(i) for i in ids) for ids in members["encodes_to"]],
            "which read": [" | ".join(texts.get(i, "") for i in ids) for ids in members["encodes_to"]],
        }
    )


FIGURES = (
    Figure(
        "categories",
        "How many ids are of each kind, and where in the vocabulary they are. Every id is of exactly one kind.",
        draw_categories,
    ),
)
TABLES = (
    Table("categories", "How many ids are of each kind.", categories),
    Table("byte_tokens", "Tokens that stand for one byte.", byte_tokens),
    Table("special_tokens", "Special tokens.", special_tokens),
    Table("utf8_fragments", "Tokens that are part of a character: no text leads to them alone.", fragments),
    Table("unreachable", "Tokens whose text encodes to something else.", unreachable),
    Table(
        "genuine_replacements",
        "Ordinary tokens that really hold U+FFFD: they survive the round trip and are no fragments.",
        genuine_replacements,
    ),
)
