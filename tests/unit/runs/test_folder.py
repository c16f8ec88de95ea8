"""The run folder: whole files, torn lines dropped, refusals that say so."""

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RunFailed
from harness.files import folder_of_whole_files, write_whole
from harness.runs.folder import RecordLog, RunFolder, ShardStore, to_json

pytestmark = pytest.mark.unit


def test_json_has_one_spelling_and_no_nan():
    text = to_json({"b": float("nan"), "a": np.float32(0.5), "c": [np.int64(2), float("inf")]})
    assert json.loads(text) == {"a": 0.5, "b": None, "c": [2, None]}
    assert text == to_json({"c": [2, float("inf")], "a": 0.5, "b": None})


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_whole(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFailed, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.json"]


def test_files_that_a_library_writes_are_moved_whole_and_readable_by_all(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), folder_of_whole_files(tmp_path) as folder:
        (folder / "a").write_text("half")
        raise ZeroDivisionError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]

    with folder_of_whole_files(tmp_path) as folder:
        for name in "ab":
            (folder / name).write_text("new")
            (folder / name).chmod(0o600)
    (tmp_path / "plain").write_text("")
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("a", "b", "plain"), modes["plain"])
    assert (tmp_path / "a").read_text() == "new"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFailed, match="No space left"), folder_of_whole_files(tmp_path) as folder:
        (folder / "a").write_text("newer")
    assert (tmp_path / "a").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "plain"]


def test_records_drop_a_torn_last_line_and_go_on(tmp_path):
    path = tmp_path / "records.jsonl"
    log = RecordLog(path)
    log.append([{"item": "a", "v": 1}, {"item": "b", "v": 2}])
    with path.open("ab") as stream:
        stream.write(b'{"item": "c", "v"')
    again = RecordLog(path)
    assert "b" in again
    assert "c" not in again
    again.append([{"item": "b", "v": 99}, {"item": "c", "v": 3}])
    assert again.rows() == [{"item": "a", "v": 1}, {"item": "b", "v": 2}, {"item": "c", "v": 3}]


@given(cut=st.integers(0, 200), values=st.lists(st.text(max_size=8), min_size=1, max_size=5))
def test_wherever_a_kill_cuts_the_file_what_is_kept_is_a_prefix(tmp_path_factory, cut, values):
    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    rows = [{"item": str(i), "text": value} for i, value in enumerate(values)]
    RecordLog(path).append(rows)
    path.write_bytes(path.read_bytes()[:cut])
    kept = RecordLog(path)
    assert kept.rows() == rows[: len(kept)]
    kept.append(rows)
    assert kept.rows() == rows


def test_a_damaged_shard_is_work_not_done(tmp_path):
    shards = ShardStore(RunFolder(tmp_path))
    shards.write("x", {"a": np.arange(3)})
    assert shards.read("x").arrays["a"].tolist() == [0, 1, 2]
    path = tmp_path / "shards" / "x.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    assert shards.read("x") is None
    assert shards.read("y") is None


def test_a_shard_holds_texts_beside_its_arrays(tmp_path):
    shards = ShardStore(RunFolder(tmp_path))
    texts = {"facts": '{"source": "census of «x»"}', "numbers": str(2**70)}
    shards.write("x", {"a": np.arange(3)}, texts)
    shards.write("plain", {"a": np.arange(3)})
    assert shards.read("x").metadata == texts
    assert shards.read("x").arrays["a"].tolist() == [0, 1, 2]
    assert shards.read("plain").metadata == {}
