"""report.html: answer, figures, tables and attention patterns of one run in a single file."""

import base64
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.errors import HarnessError
from harness.reporting.display import Display
from harness.reporting.figures import tables
from harness.reporting.report import attention
from harness.reporting.report.coloured import page_texts
from harness.reporting.report.token_data import page_asked, page_points
from harness.runs.config.command import command_of
from harness.runs.results.grouping import flat
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

log = logging.getLogger(__name__)

# Pictures have 200 pixels an inch: 0.7 shows a paper's two columns over the page's width.
_PAGE_SCALE = 0.7
_LONG_TABLE = 30


@dataclass(frozen=True)
class Cell:
    """A cell as it is read, and what it is sorted by."""

    text: str
    sort: str
    is_number: bool
    link: str = ""
    """Where it leads, relative to the page; empty for no link."""

    @property
    def kind(self) -> str:
        """Its class in the page: a number stays on one line, a long text may break anywhere."""
        return "number" if self.is_number else "text" if len(self.text) <= 24 else "text long"


@dataclass(frozen=True)
class PageTable:
    """A table with text in every cell."""

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def kind_of(self, column: int) -> str:
        """Class of a column's name: over numbers it stands to the right."""
        return "number" if any(row[column].is_number for row in self.rows) else "text"

    @property
    def is_long(self) -> bool:
        """Whether a page shows it in a box of its own height."""
        return len(self.rows) > _LONG_TABLE


@dataclass(frozen=True)
class PageFigure:
    """A picture inside the page."""

    title: str
    caption: str
    source: str
    """A data URI."""
    width: int
    """In the page's pixels: every picture on one scale."""


def environment() -> Environment:
    """Where pages are made: everything is escaped, what is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    made.filters["visible"] = lambda value: visible(str(value))
    return made


def render_report(run: StoredRun, display: Display, summary: str) -> str:
    """The page of one run, self-contained: nothing outside it is ever loaded.

    Every string that came from a vocabulary, a config or an error is made visible and escaped; the page's own policy
    forbids any script but its own, so that even a mistake here could run nothing.
    """

    panels = attention.page_panels(display.panels(run))
    asked = display.asked(run)
    page = (
        environment()
        .get_template("page.html")
        .render(
            nonce=hashlib.sha256(run.run_id.encode()).hexdigest()[:16],
            run=run,
            subject=run.model or (run.manifest.get("tokenizer") or {}).get("label"),
            summary=summary,
            answer=display.answer(run),
            headline=_headline(run, display),
            reference=run.config.get("reference") or {},
            figures=_figures(run, display),
            tables=_tables(run, display),
            all_metrics=_all_metrics(run),
            clouds=page_points(display.clouds(run)),
            texts=page_texts(display.texts(run)),
            panels=panels,
            asked=page_asked(asked) if asked is not None and any(card.said for card in asked.cards) else None,
            prompts=asked.prompts if asked is not None else (),
            notes=[note for note in run.notes if note not in run.warnings],
            bundle=attention.bundle() if any(panel.data for panel in panels) else "",
            facts=_facts(run),
            command=_command(run),
            config=_config_text(run),
        )
    )
    # A lone surrogate left in the text becomes an escape, since it could not be written as UTF-8.
    return page.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _headline(run: StoredRun, display: Display) -> PageTable | None:
    rows = display.headline(run)
    if not rows:
        return None
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(row.values))
    cells = [
        (Cell(visible(row.label), "", False), *(Cell(visible(row.values.get(name, "")), "", True) for name in columns))
        for row in rows
    ]
    return PageTable("", "", ("", *columns), tuple(cells))


def _figures(run: StoredRun, display: Display) -> list[PageFigure]:
    stored = run.figures
    found = []
    for figure in display.figures:
        if figure.name not in stored:
            continue
        data = stored[figure.name].png.read_bytes()
        source = "data:image/png;base64," + base64.b64encode(data).decode()
        # A PNG's width is the big-endian number at byte 16.
        width = round(int.from_bytes(data[16:20], "big") * _PAGE_SCALE)
        found.append(PageFigure(figure.name.replace("_", " "), figure.caption, source, width))
    return found


def _tables(run: StoredRun, display: Display) -> list[PageTable]:
    built = [(table, table.build(run)) for table in display.tables]
    return [
        page_table(table.name.replace("_", " "), table.caption, frame)
        for table, frame in built
        if frame is not None and not frame.empty
    ]


def page_table(title: str, caption: str, frame: pd.DataFrame) -> PageTable:
    """A data frame as it stands in a page; numbers are sorted as numbers, by their mean."""
    readable = tables.for_reading(frame)
    rows = []
    for position, texts in enumerate(readable.itertuples(index=False)):
        raw = [tables.plain(frame[name].iloc[position]) for name in readable.columns]
        rows.append(
            tuple(
                Cell(text, str(value) if _is_number(value) else text, _is_number(value))
                for text, value in zip(texts, raw, strict=True)
            )
        )
    return PageTable(title, caption, tuple(str(name) for name in readable.columns), tuple(rows))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _command(run: StoredRun) -> str:
    """What requests the run again; empty where its experiment or a key of it is not known any more."""
    try:
        return command_of(run.config)
    except (HarnessError, KeyError) as error:
        log.info("no command for %s: %s", run.run_id, error)
        return ""


def _all_metrics(run: StoredRun) -> PageTable:
    rows = tuple(
        (
            Cell(visible(name), name, False),
            Cell(tables.number(value, 4), str(value) if _is_number(value) else "", _is_number(value)),
        )
        for name, value in run.metrics.items()
        if not name.endswith(("/ci_low", "/ci_high"))
    )
    return PageTable("all metrics", "Everything in metrics.json but the ends of intervals.", ("metric", "value"), rows)


def _facts(run: StoredRun) -> list[tuple[str, str]]:
    """What a reader needs to repeat the run."""
    manifest = run.manifest
    model, git = manifest.get("model") or {}, manifest.get("git") or {}
    facts: list[tuple[str, Any]] = [
        ("run", f"{run.experiment}/{run.run_id}"),
        ("status", run.status),
        ("error", manifest.get("error")),
        ("started", manifest.get("started")),
        ("ended", manifest.get("ended")),
        *((f"model {key.replace('_', ' ')}", _in_words(value)) for key, value in model.items()),
        ("seed", (manifest.get("seed") or {}).get("seed")),
        ("the seed varies", (manifest.get("seed") or {}).get("varies")),
        ("times resumed", manifest.get("resumed")),
        ("config hash", manifest.get("config_hash")),
        ("layout", f"schema {run.schema_version}, experiment version {manifest.get('experiment_version')}"),
        ("code", f"{git['commit']}{' with changes' if git.get('dirty') else ''}" if git.get("commit") else None),
        ("python", manifest.get("python")),
        ("packages", ", ".join(f"{name} {version}" for name, version in (manifest.get("packages") or {}).items())),
        ("seconds", ", ".join(f"{name} {seconds:.1f}" for name, seconds in _timings(run))),
    ]
    return [(name, visible(str(value))) for name, value in facts if value not in (None, "")]


def _in_words(value: Any) -> Any:
    """A nested fact on one line: `file a.gguf, tensor_types (attn_q (Q4_1 30))`."""
    if not isinstance(value, Mapping):
        return value
    parts = [(key, _in_words(item), isinstance(item, Mapping)) for key, item in value.items()]
    return ", ".join(
        f"{key} ({item})" if nested else f"{key} {item}" for key, item, nested in parts if item is not None
    )


def _timings(run: StoredRun) -> Sequence[tuple[str, float]]:
    return [(name, value) for name, value in run.timings.items() if isinstance(value, int | float)]


def _config_text(run: StoredRun) -> list[str]:
    """The resolved config, one line per key; where results are written and tracked is left out."""

    hidden = ("results_dir", "tracker", "cache", "reference", "sweep_id", "force")
    return [
        visible(f"{key}={json.dumps(value, ensure_ascii=True) if not isinstance(value, str) else value}")
        for key, value in flat(run.config).items()
        if not key.startswith(hidden)
    ]
