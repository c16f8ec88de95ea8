"""The table of arrays in an experiment's docstring names the arrays that a run writes, with their axes."""

import importlib
import inspect
import re
from dataclasses import dataclass

import pytest

from harness.pipeline import execute
from harness.runs.config.compose import compose_run

pytestmark = pytest.mark.integration

# A small run of each experiment whose arrays take seconds, and the tables' names that pocket's run has no array for.
RUNS = {
    "census": (("exp.n_tokens=40",), ()),
    "echo_token": (("exp.n_tokens=1", "exp.n_seeds=1", "exp.n_shots=2", "exp.max_new_tokens=2"), ()),
    "repeat_tokens": (("exp.seq_len=4", "exp.n_sequences=2"), ()),
    "token_audit": ((), ()),
    "token_card": (("exp.token=300",), ("indicator/norm_input",)),
    "unused_logits": (("exp.n_windows=2",), ()),
}


@dataclass(frozen=True)
class Row:
    """A name of the table (`<pool>` and the like stand for any name), and its number of axes."""

    name: str
    n_axes: int

    def matches(self, name: str) -> bool:
        return re.fullmatch(re.sub(r"<[^>]+>", "[^/]+", self.name), name) is not None


def table(experiment: str) -> list[Row]:
    text = inspect.getdoc(importlib.import_module(f"experiments.{experiment}")) or ""
    cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines() if line.startswith("|")]
    # A row without a name goes on with the one above it.
    return [Row(name, len(axes.split())) for names, axes in cells[2:] for name in names.split(", ") if name]


@pytest.mark.parametrize("experiment", RUNS)
def test_the_table_names_what_a_run_writes(experiment, tmp_path):
    words, absent = RUNS[experiment]
    run = execute(compose_run([f"exp={experiment}", "tracker=none", f"results_dir={tmp_path}", *words]))
    rows = table(experiment)
    written = {name: array.ndim for name, array in run.arrays.items()}
    assert written
    unnamed = {name for name, n in written.items() if not any(r.matches(name) and r.n_axes == n for r in rows)}
    assert not unnamed
    assert [row.name for row in rows if not any(map(row.matches, written))] == list(absent)
