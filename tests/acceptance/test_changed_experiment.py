"""An experiment under development: changed code is not mixed with shards of the old, a broken file says how."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

TOY = (Path(__file__).parents[1] / "helpers/outside/experiments/toy.py").read_text(encoding="utf-8")


def harness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *words, "tracker=none"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)


def write(folder: Path, text: str) -> None:
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "experiments/toy.py").write_text(text, encoding="utf-8")


def metrics(folder: Path) -> dict[str, float]:
    (path,) = folder.glob("results/toy/*/metrics.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_shards_of_other_code_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, TOY.replace("values = np.concatenate", "raise ZeroDivisionError; values = np.concatenate"))
    assert harness(tmp_path, "exp=toy").returncode == 1
    assert list(tmp_path.glob("results/toy/*/shards/*"))
    write(tmp_path, TOY.replace("batch.work**2 + noise", "batch.work - batch.work + 7.0"))
    done = harness(tmp_path, "exp=toy")
    assert done.returncode == 0, done.stderr
    assert metrics(tmp_path)["toy/mean"] == 7.0
    assert "code has changed since this run was begun" in done.stdout


def test_a_complete_run_of_other_code_is_found_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, TOY.replace("batch.work**2 + noise", "3.0"))
    assert harness(tmp_path, "exp=toy").returncode == 0
    again = harness(tmp_path, "exp=toy")
    assert "other code" not in again.stdout + again.stderr
    write(tmp_path, TOY.replace("batch.work**2 + noise", "4.0"))
    found = harness(tmp_path, "exp=toy")
    assert metrics(tmp_path)["toy/mean"] == 3.0
    assert "made by other code of this experiment" in found.stdout + found.stderr
    assert "force=true" in found.stdout + found.stderr
    assert harness(tmp_path, "exp=toy", "force=true").returncode == 0
    assert metrics(tmp_path)["toy/mean"] == 4.0
    write(tmp_path, TOY.replace("batch.work**2 + noise", "5.0"))
    # A sweep finds runs, too.
    swept = harness(tmp_path, "-m", "exp=toy", "seed=0,1")
    assert swept.returncode == 0, swept.stderr
    assert (swept.stdout + swept.stderr).count("made by other code of this experiment") == 1


def test_what_is_no_outcome_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, TOY.replace("return Outcome(", "return dict(mean=1.0) if run else Outcome("))
    done = harness(tmp_path, "exp=toy")
    assert done.returncode == 1
    assert "measure of exp=toy gave back a dict, allowed: an Outcome" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TOY.replace("def measure(run", "def measure(run run"), "toy.py, line 28: "),
        (TOY.replace("EXPERIMENT = ", "ANOTHER = "), "defines no EXPERIMENT"),
    ],
)
def test_a_broken_file_says_what_is_wrong_with_it(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    done = harness(tmp_path, "exp=toy")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
