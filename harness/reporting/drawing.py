"""Everything a person looks at in a run folder: answer, headline, figures, tables, report."""

from harness.reporting.display import Display
from harness.reporting.figures.drawing import draw_run
from harness.reporting.report.html import render_report
from harness.runs import registry
from harness.runs.folder import RunFolder
from harness.runs.results.headline import to_plain
from harness.runs.results.stored_run import StoredRun


def draw(run: StoredRun, folder: RunFolder, display: Display) -> None:
    """Write answer.json, headline.json, figures/, tables/ and report.html of a run from its stored files."""
    answer = display.answer(run)
    if answer is not None:
        folder.write_json("answer.json", answer.as_plain())
    folder.write_json("headline.json", to_plain(display.headline(run)))
    draw_run(run, display, folder)
    folder.write_text("report.html", render_report(run, display, registry.load(run.experiment).summary))
