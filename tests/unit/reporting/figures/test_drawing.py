import hashlib
import json
import struct
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from experiments.repeat_tokens import display, figures
from experiments.repeat_tokens import tables as run_tables
from harness.reporting.display import Figure
from harness.reporting.figures import tables
from harness.reporting.figures.drawing import add_footer, draw_run, runs_footer
from harness.reporting.figures.style import ONE_COLUMN, new_figure, paper_style
from harness.runs.folder import RunFolder
from tests.unit.runs.results.stored_runs import DISPLAY, Made, write_run

SMALL = Made(seq_len=4, n_layers=2, n_heads=4, n_top=2)


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_every_figure_and_table_of_a_run_is_written(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    written = draw_run(run, DISPLAY, RunFolder(run.folder))
    # Two pools are no dose response.
    figures = [figure for figure in DISPLAY.figures if figure.name != "dose_response"]
    assert written == [item.name for item in (*figures, *DISPLAY.tables)]
    for figure in figures:
        assert (run.folder / "figures" / f"{figure.name}.pdf").read_bytes().startswith(b"%PDF")
        assert (run.folder / "figures" / f"{figure.name}.png").read_bytes().startswith(b"\x89PNG")
    for table in DISPLAY.tables:
        assert (run.folder / "tables" / f"{table.name}.csv").stat().st_size
        assert (run.folder / "tables" / f"{table.name}.tex").stat().st_size


def test_equal_runs_give_equal_bytes_whatever_the_caller_set(tmp_path: Path) -> None:
    import matplotlib

    one = replace(DISPLAY, figures=DISPLAY.figures[:1], tables=())
    found = []
    for folder, font_size in (("a", 7), ("b", 31)):
        run = write_run(tmp_path / folder, SMALL)
        with matplotlib.rc_context({"font.size": font_size, "pdf.fonttype": 3}):
            draw_run(run, one, RunFolder(run.folder))
        found.append(_digests(run.folder / "figures"))
    assert found[0] == found[1]
    other = write_run(tmp_path / "c", replace(SMALL, seed=1))
    draw_run(other, one, RunFolder(other.folder))
    assert _digests(other.folder / "figures")["logprob_by_position.png"] != found[0]["logprob_by_position.png"]


def test_fonts_are_embedded_as_text_and_widths_are_a_papers(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    draw_run(run, replace(DISPLAY, figures=DISPLAY.figures[:1], tables=()), RunFolder(run.folder))
    pdf = (run.folder / "figures" / "logprob_by_position.pdf").read_bytes()
    assert b"/Type3" not in pdf and b"/CIDFontType2" in pdf
    png = (run.folder / "figures" / "logprob_by_position.png").read_bytes()
    assert struct.unpack(">I", png[16:20])[0] == round(ONE_COLUMN * 200)


def test_each_picture_says_which_run_it_is(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    seen = []

    def draw(_run):
        figure = new_figure()
        figure.subplots()
        seen.append(figure)
        return figure

    draw_run(run, replace(DISPLAY, figures=(Figure("f", "", draw),), tables=()), RunFolder(run.folder))
    assert [text.get_text() for text in seen[0].texts] == [f"run {run.run_id}"]


def test_a_figure_with_nothing_to_show_is_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path, replace(SMALL, heads=False, has_bos=False, n_sequences=1))
    written = draw_run(run, DISPLAY, RunFolder(run.folder))
    assert "logprob_by_position" in written
    assert not {"head_scores", "attention_by_offset", "attention_patterns", "top_heads"} & set(written)
    assert not (run.folder / "figures" / "head_scores.png").exists()


def test_footer_names_what_fits_and_says_where_the_rest_is() -> None:
    ids = [f"pocket-{i:08x}" for i in range(40)]
    text = runs_footer(ids, "grid.json", ONE_COLUMN)
    assert "pocket-00000000" in text and "grid.json" in text
    n_named = text.count("pocket-")
    assert f"and {40 - n_named} more" in text
    assert runs_footer(ids[:1], "grid.json", ONE_COLUMN) == "runs pocket-00000000"
    with paper_style():
        figure = new_figure()
        add_footer(figure, text)
        figure.draw_without_rendering()
        box = figure.texts[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1


def test_legend_and_footer_do_not_touch(tmp_path: Path) -> None:
    run = write_run(tmp_path, replace(SMALL, published=True))
    with paper_style():
        figure = figures.draw_logprob(run)
        add_footer(figure, f"run {run.run_id}")
        figure.draw_without_rendering()
        items = (figure.legends[0], figure.texts[0], figure.axes[0].xaxis.label)
        legend, footer, label = (item.get_window_extent() for item in items)
    assert footer.y1 <= legend.y0
    assert legend.y1 <= label.y0


def test_published_values_stand_beside_measured_ones(tmp_path: Path) -> None:
    run = write_run(tmp_path, replace(SMALL, published=True))
    table = run_tables.pool_metrics(run).set_index(["measure", "pool"])
    assert table.loc[("log-prob, first half (nats)", "unused"), "published"] == -17.27
    assert table.loc[("copy gain (nats)", "common"), "published"] == pytest.approx(-0.971 + 7.327)
    rows = {row.label: row.values for row in display.headline(run)}
    assert rows["unused, published for GPT-2 small"]["1st / 2nd half (nats)"] == "−17.3 / −19.7"
    with paper_style():
        figure = figures.draw_logprob(run)
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        heights = {float(line.get_ydata()[0]) for line in figure.axes[0].lines if len(set(line.get_ydata())) == 1}
    assert "published for GPT-2 small, mean of each half" in labels
    assert {-17.27, -19.675, -7.327, -0.971} <= heights


def test_tables_hold_what_the_metrics_say(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    table = run_tables.pool_metrics(run).set_index(["measure", "pool"])
    row = table.loc[("copy gain (nats)", "unused")]
    assert row["mean"] == run.metrics["unused/copy_gain"]
    assert row[f"mean{tables.LOW}"] == run.metrics["unused/copy_gain/ci_low"]
    scores = run_tables.head_scores(run).set_index(["pool", "layer", "head"])
    stored = run.arrays["common/heads/attention_by_offset"]
    assert scores.loc[("common", 1, 2), "induction"] == stored[1, 2, SMALL.seq_len - 1]
    assert scores.loc[("common", 1, 3), "previous token"] == stored[1, 3, 1]
    assert scores.loc[("common", 0, 0), "duplicate token"] == stored[0, 0, SMALL.seq_len]
    positions = run_tables.by_position(run)
    assert list(positions["half"][: 2 * SMALL.seq_len]) == ["first"] * 4 + ["second"] * 4


def test_drawing_loads_no_model_library(tmp_path: Path) -> None:
    write_run(tmp_path, SMALL)
    program = (
        "import sys, json; from harness.figures import main; code = main([sys.argv[1]]); "
        "heavy = ('torch', 'transformers', 'transformer_lens', 'wandb'); "
        "json.dump([code, [name for name in heavy if name in sys.modules]], sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == [0, []]


def test_titles_of_many_pools_do_not_overlap(tmp_path: Path) -> None:
    pools = {"unused": "1:9", "common": "9:12", "a_pool_with_a_very_long_name": "12:20", "rare": list(range(99))}
    run = write_run(tmp_path, replace(SMALL, pools=pools))
    with paper_style():
        figure = figures.draw_head_scores(run)
        assert figure is not None
        figure.draw_without_rendering()
        titles = [axes._left_title for axes in figure.axes if axes._left_title.get_text()]
        boxes = sorted((title.get_window_extent() for title in titles), key=lambda box: box.x0)
    assert len(boxes) == 6
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert boxes[-1].x1 <= figure.bbox.x1
