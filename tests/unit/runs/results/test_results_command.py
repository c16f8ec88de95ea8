import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.runs import registry
from harness.errors import Rejected
from harness.runs.results import compare, listing
from harness.results import main
from harness.runs.results.collect import readable
from harness.runs.results.grouping import flat, pools_text
from tests.unit.runs.results.stored_runs import Made, write_run

SMALL = Made(seq_len=3, n_layers=2, n_heads=4, n_top=2)
HOSTILE = {"[bold]x[/bold]": "\x1b[31m\u202e", "common": [5, 7, 9]}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")


def test_the_list_names_every_run_with_its_headline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_run(tmp_path, SMALL)
    failed = write_run(tmp_path, replace(SMALL, seed=1, status="failed"))
    torn = write_run(tmp_path, replace(SMALL, seed=2))
    (torn.folder / "manifest.json").write_bytes(b"{")
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"3 runs below {tmp_path}" in out
    for expected in (good.run_id, "complete", "unused=177:188", "copy effect", failed.run_id, "ValueError: planted",
                     torn.folder.name, "unreadable"):  # fmt: skip
        assert expected in out, expected
    assert main([str(tmp_path), "--status", "failed"]) == 0
    assert "1 run below" in capsys.readouterr().out


def test_names_and_pools_are_data_never_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, replace(SMALL, pools=HOSTILE))
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "[bold]x[/bold]" in out.replace("\n", "")
    assert "\x1b" not in out and "\u202e" not in out
    assert main([str(tmp_path), "--csv"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_json_and_csv_hold_every_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path, SMALL)
    assert main([str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["metrics"] == run.metrics and row["run_id"] == run.run_id and row["seed"] == 0
    assert row["headline"]["common"]["copy accuracy"].startswith("0.93")
    assert main([str(tmp_path), "--csv"]) == 0
    (line,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(line["unused/copy_gain"]) == run.metrics["unused/copy_gain"]


def test_a_run_whose_headline_cannot_be_read_is_still_listed(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    (run.folder / "headline.json").write_text('[{"label": 1}]')
    (row,) = listing.list_runs(tmp_path)
    assert row.headline == {} and "cannot be read" in row.problem
    (run.folder / "headline.json").unlink()
    (row,) = listing.list_runs(tmp_path)
    assert row.status == "complete" and "was not stored" in row.problem


def test_two_runs_are_compared_in_what_was_asked_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write_run(tmp_path, SMALL)
    b = write_run(tmp_path, replace(SMALL, seed=1, gain=2.0))
    found = compare.compare(a, b)
    assert [(item.key, item.a, item.b) for item in found.requested] == [("seed", 0, 1)]
    gain = next(row for row in compare.measured_rows(found) if row[0] == "common/copy_gain")
    assert "[" in gain[1] and "[" in gain[2]
    assert float(gain[3].removesuffix(" *").replace("−", "-")) == pytest.approx(
        b.metrics["common/copy_gain"] - a.metrics["common/copy_gain"], abs=1e-4
    )
    assert not [row for row in compare.measured_rows(found) if row[0].endswith(("ci_low", "ci_high"))]
    assert main(["compare", a.run_id, str(b.folder), "--results-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "common/copy_gain" in out and f"{found.n_equal_metrics} metrics are equal" in out
    assert main(["compare", a.run_id, b.run_id, "--results-dir", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["asked"] == {"seed": [0, 1]}
    assert main(["compare", a.run_id, a.run_id, "--results-dir", str(tmp_path)]) == 0
    assert "asked the same" in capsys.readouterr().out


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    a = write_run(tmp_path, SMALL)
    b = write_run(tmp_path, replace(SMALL, model="stories"))
    assert compare.find_run("stor", tmp_path).run_id == b.run_id
    assert compare.find_run(f"repeat_tokens/{a.run_id}", tmp_path).run_id == a.run_id
    write_run(tmp_path, replace(SMALL, seed=1))
    with pytest.raises(Rejected, match="could be any of"):
        compare.find_run("pocket", tmp_path)
    with pytest.raises(Rejected, match="did you mean"):
        compare.find_run("stories-x", tmp_path)


@pytest.mark.parametrize(
    "words",
    [["absent"], ["--nonsense"], ["compare", "a"], ["compare", "a", "b"], ["--status", "odd"], ["--json", "--csv"]],
)
def test_mistakes_are_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1 and captured.err.startswith("error: ")


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: no runs below {tmp_path}\n"
    assert main([str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_help_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "compare A B" in capsys.readouterr().out


def test_small_readers(tmp_path: Path) -> None:
    assert flat({"a": {"b": 1, "c": [1]}, "d": None}) == {"a.b": 1, "a.c": [1], "d": None}
    run = write_run(tmp_path, replace(SMALL, pools={"unused": [5, 7], "common": "all"}))
    assert pools_text(run) == "unused=[5,7] common=all"
    assert "no run folder" in str(readable(tmp_path))


def test_what_lies_beyond_both_intervals_is_told() -> None:
    # Half widths that face each other: 3 and 4, so that a difference of 5 is the limit.
    a, b = (10.0, 0.0, 13.0), (15.1, 11.1, 30.0)
    assert compare.is_beyond(a, b) and compare.is_beyond(b, a)
    assert not compare.is_beyond(a, (14.9, 10.9, 30.0))
    assert not compare.is_beyond(a, (100.0, None, None))


def test_a_run_is_found_by_its_hash_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path, Made(seq_len=3))
    assert compare.find_run(run.run_id.rpartition("-")[2], tmp_path).folder == run.folder
