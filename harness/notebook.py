"""The same runs from a notebook: `harness.run("repeat_tokens", "model=pocket", "exp.seq_len=50")`."""

import base64
from functools import cached_property
from html import escape
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from harness.errors import Rejected
from harness.pipeline import execute
from harness.reporting.display import Display, load_display
from harness.reporting.figures.style import paper_style
from harness.reporting.report.attention import standalone
from harness.runs.config.compose import compose_run
from harness.runs.results import compare as comparing
from harness.runs.results import stored_run
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

_ATTENTION_HEIGHT = 640


class NotebookRun(StoredRun):
    """A stored run that shows itself: its answer, headline and first picture."""

    @cached_property
    def display(self) -> Display:
        """How its experiment shows runs."""
        return load_display(self.experiment)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Its tables by name, those that have rows; `x ci_low` and `x ci_high` stand beside a mean `x`."""
        built = {table.name: table.build(self) for table in self.display.tables}
        return {name: frame for name, frame in built.items() if frame is not None and not frame.empty}

    def draw(self, name: str) -> Figure:
        """One of its pictures as a matplotlib figure. Raises `Rejected` for a name it has not."""
        known = {figure.name: figure for figure in self.display.figures}
        if name not in known:
            raise Rejected.key("figure", name, ", ".join(known))
        with paper_style():
            drawn = known[name].draw(self)
        if drawn is None:
            raise Rejected(f"figure: {name} has nothing to show of this run")
        return drawn

    def attention(self) -> "Page":
        """Its attention patterns, to hover over. Raises `Rejected` where none were kept."""
        panels = self.display.panels(self)
        if not panels:
            raise Rejected(f"{self.experiment}/{self.run_id} kept no attention patterns")
        return Page(standalone(panels), _ATTENTION_HEIGHT)

    def _repr_html_(self) -> str:
        parts = [f"<b>{escape(visible(self.experiment))}/{escape(visible(self.run_id))}</b> ({escape(self.status)})"]
        if self.answer is not None:
            parts.append(f"<p>{escape(visible(self.answer.sentence))}</p>")
        if self.headline:
            rows = pd.DataFrame([dict(row.values) for row in self.headline], index=[row.label for row in self.headline])
            parts.append(rows.fillna("").to_html())
        first = next((self.figures[one.name] for one in self.display.figures if one.name in self.figures), None)
        if first is not None:
            data = base64.b64encode(first.png.read_bytes()).decode()
            parts.append(f'<img src="data:image/png;base64,{data}" style="max-width: 40rem">')
        return "".join(parts)


class Page:
    """A page of its own inside a notebook's cell."""

    def __init__(self, html: str, height: int) -> None:
        """`html` is shown in a frame `height` pixels high."""
        self.html = html
        self._height = height

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" width="100%" height="{self._height}" frameborder="0"></iframe>'


def run(experiment: str, *overrides: str) -> NotebookRun:
    """Do (or resume, or find) the run that `python -m harness exp=<experiment> <overrides>` does, and return it.

    Raises `Rejected` or `RunFailed`, whose messages are the lines the command would print.
    """
    return NotebookRun(execute(compose_run([f"exp={experiment}", *overrides])).folder)


def load_run(folder: Path | str) -> NotebookRun:
    """The run stored in `folder`. Raises `HarnessError` where there is none."""
    return NotebookRun(Path(folder))


def find_runs(
    results_dir: Path | str = "results", experiment: str | None = None, status: str | None = "complete"
) -> list[NotebookRun]:
    """Runs below `results_dir` in a stable order, of one experiment and status where given."""
    return [NotebookRun(found.folder) for found in stored_run.find_runs(results_dir, experiment, status)]


def compare(a: StoredRun, b: StoredRun) -> pd.DataFrame:
    """Every metric in which two runs differ: both values with their intervals, the second minus the first, and whether
    that is `beyond` what the intervals leave open (`is_beyond`)."""
    rows = []
    for item in comparing.compare(a, b).measured:
        numbers = all(isinstance(value, int | float) for value in (item.a, item.b))
        first, second = a.interval(item.key), b.interval(item.key)
        rows.append(
            {
                "metric": item.key,
                "a": item.a, "a ci_low": first[1], "a ci_high": first[2],
                "b": item.b, "b ci_low": second[1], "b ci_high": second[2],
                "difference": item.b - item.a if numbers else None,
                "beyond": comparing.is_beyond(first, second) if numbers else None,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
