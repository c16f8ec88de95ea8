"""Declared arrays: which names are meant, what is refused, and how the table reads."""

import numpy as np
import pytest

from harness.errors import Rejected, RunFailed
from harness.runs import registry
from harness.runs.arrays import ArraySpec, check_arrays, markdown_table

pytestmark = pytest.mark.unit

IDS = ArraySpec("<pool>/ids", "token", "int64", "the tokens")
CURVE = ArraySpec("<pool>/<kind>/curve", "seed step", "float32", "a curve", "with seeds")


@pytest.mark.parametrize(
    ("name", "is_meant"), [("common/ids", True), ("ids", False), ("a/b/ids", False), ("common/ids2", False)]
)
def test_a_placeholder_is_one_part_of_a_name(name, is_meant):
    assert IDS.matches(name) is is_meant


def test_what_is_declared_passes():
    check_arrays([IDS, CURVE], {"a/ids": np.zeros(2, np.int64), "a/b/curve": np.zeros((2, 3), np.float32)})
    check_arrays([IDS, CURVE], {})


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("a/ids", np.zeros(2), "got a/ids as float64 with 1 axes, declared: int64 \\[token\\]"),
        ("a/ids", np.zeros((2, 1), np.int64), "got a/ids as int64 with 2 axes, declared: int64 \\[token\\]"),
        ("a/id", np.zeros(2, np.int64), "got a/id as int64 with 1 axes, declared: no such name"),
    ],
)
def test_what_is_not_declared_fails(name, array, words):
    with pytest.raises(RunFailed, match=words):
        check_arrays([IDS, CURVE], {name: array})


def test_the_table_says_when_an_array_is_there():
    assert markdown_table([IDS, CURVE]).splitlines()[2:] == [
        "| `<pool>/ids` | token | int64 | the tokens |",
        "| `<pool>/<kind>/curve` | seed step | float32 | a curve; only with seeds |",
    ]


@pytest.mark.parametrize(
    ("line", "expected"), [("", None), ("ARRAYS = ()", ()), ("ARRAYS = [1]", Rejected), ("ARRAYS = (1,)", Rejected)]
)
def test_an_experiment_of_ones_own_may_declare(line, expected, tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").write_text(line + "\n")
    monkeypatch.setenv("HARNESS_PATH", str(tmp_path))
    if expected is Rejected:
        with pytest.raises(Rejected, match="exp=mine: ARRAYS"):
            registry.load_arrays("mine")
    else:
        assert registry.load_arrays("mine") == expected


def test_a_folder_of_ones_own_may_leave_parts_out(tmp_path, monkeypatch):
    folder = tmp_path / "experiments" / "ours"
    folder.mkdir(parents=True)
    (folder / "config.py").write_text("EXPERIMENT = None\n")
    monkeypatch.setenv("HARNESS_PATH", str(tmp_path))
    assert registry.load_arrays("ours") is None
    with pytest.raises(Rejected, match="defines no function measure"):
        registry.load_measure("ours")
