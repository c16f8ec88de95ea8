import pytest

from harness.runs.folder import RunFolder
from harness.runs.results.headline import HeadlineRow, to_plain
from harness.runs.results.stored_run import load_run

pytestmark = pytest.mark.unit


def test_a_stored_headline_keeps_its_columns_in_order(tmp_path) -> None:
    rows = [HeadlineRow("glitch tokens", {"tokens": "13 of 64", "share": "0.203"}), HeadlineRow("b", {})]
    folder = RunFolder(tmp_path)
    folder.write_json("manifest.json", {})
    folder.write_json("headline.json", to_plain(rows))
    stored = load_run(tmp_path).headline
    assert stored == rows and [list(row.values) for row in stored] == [["tokens", "share"], []]
    (tmp_path / "headline.json").unlink()
    assert load_run(tmp_path).headline is None
