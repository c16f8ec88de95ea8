"""Every registered figure and table of one run, drawn from its stored files into its folder."""

import io
import logging
from collections.abc import Sequence

from matplotlib.figure import Figure

from harness.reporting.display import Display
from harness.reporting.figures import tables
from harness.reporting.figures.style import QUIET, paper_style
from harness.reporting.figures.text import figure_text
from harness.runs.folder import RunFolder
from harness.runs.results.stored_run import StoredRun

log = logging.getLogger(__name__)

_FOOTER_POINTS = 4.5
_FOOTER_INCHES = 0.1


def draw_run(run: StoredRun, display: Display, folder: RunFolder) -> list[str]:
    """Write figures/*.pdf, *.png and tables/*.csv, *.tex of one run; returns the names written.

    Pictures of equal runs are equal bytes. A figure that the run has no data for is left out.
    """
    written = []
    for figure in display.figures:
        with paper_style():
            drawn = figure.draw(run)
            if drawn is None:
                log.debug("%s: nothing to draw for %s", run.run_id, figure.name)
                continue
            add_footer(drawn, f"run {run.run_id}")
            write_figure(folder, figure.name, drawn)
        written.append(figure.name)
    for table in display.tables:
        frame = table.build(run)
        if frame is None or frame.empty:
            continue
        label = f"{run.experiment}-{table.name}".replace("_", "-")
        folder.write_text(f"tables/{table.name}.csv", tables.to_csv(frame))
        folder.write_text(
            f"tables/{table.name}.tex", tables.to_latex(frame, f"{table.caption} (run {run.run_id})", label)
        )
        written.append(table.name)
    return written


def write_figure(folder: RunFolder, name: str, figure: Figure) -> None:
    """A picture as figures/<name>.pdf and .png, byte-stable for equal pictures."""
    # Laid out once: each format would do it again, a third of the time a picture takes.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for suffix, metadata in (("pdf", {"CreationDate": None, "Producer": None}), ("png", {"Software": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, metadata=metadata)
        folder.write_bytes(f"figures/{name}.{suffix}", buffer.getvalue())


def add_footer(figure: Figure, text: str) -> None:
    """Say in small print where a picture comes from, in a strip that the axes keep clear of."""

    engine = figure.get_layout_engine()
    height = _FOOTER_INCHES / figure.get_figheight()
    if engine is not None:
        engine.set(rect=(0, height, 1, 1 - height))  # type: ignore[call-arg]
    for legend in figure.legends:
        # A legend outside the axes sits on the figure's edge, whatever the engine's rectangle; had it its own anchor,
        # the engine would make no room for it.
        legend.borderaxespad += _FOOTER_INCHES * 72 / float(legend.get_texts()[0].get_fontsize())
    # What fits the width at this size, measured in the average width of a letter.
    fits = int(figure.get_figwidth() * 72 / (0.56 * _FOOTER_POINTS))
    figure.text(0.995, 0.004, figure_text(text, fits), ha="right", va="bottom", fontsize=_FOOTER_POINTS, color=QUIET)


def runs_footer(run_ids: Sequence[str], sidecar: str, width: float) -> str:
    """As many run ids as fit under a picture `width` inches wide, and where the full list lies."""
    fits = int(width * 72 / (0.6 * _FOOTER_POINTS)) - len(sidecar) - 30
    named: list[str] = []
    for run_id in run_ids:
        if sum(len(name) + 2 for name in named) + len(run_id) > fits:
            break
        named.append(run_id)
    if len(named) == len(run_ids):
        return f"runs {', '.join(named)}"
    return f"runs {', '.join(named)} and {len(run_ids) - len(named)} more, listed in {sidecar}"
