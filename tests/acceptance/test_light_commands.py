"""What answers without computing imports nothing heavy, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

HEAVY = ("torch", "transformers", "transformer_lens", "pandas", "matplotlib", "scipy", "sklearn")
PROGRAM = (
    "import sys; from harness.cli import run_command; code = run_command(sys.argv[1:]); "
    f"print(code, *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
)
EXPERIMENTS = sorted(path.parent.name for path in Path(__file__).parents[2].glob("experiments/*/config.py"))


def imported(*words: str) -> list[str]:
    """Exit code, and the heavy modules imported on the way."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()


def test_help() -> None:
    assert imported("--help") == ["0"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_config_of_every_experiment(name: str) -> None:
    assert imported(f"exp={name}", "--cfg", "job") == ["0"]


def test_a_rejected_override() -> None:
    assert imported("exp=repeat_tokens", "exp.seq_len=0") == ["2"]


@pytest.mark.parametrize("module", ["harness.path_star.ways.roster", "experiments.path_star.display"])
def test_ways_of_answering_are_known_and_drawn_without_torch(module: str) -> None:
    program = f"import sys, {module}; print([name for name in ('torch', 'transformers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]


def test_a_complete_run_that_is_found(tmp_path: Path) -> None:
    words = ["exp=token_audit", "tracker=none", f"results_dir={tmp_path}"]
    assert imported(*words)[0] == "0"
    assert imported(*words) == ["0"]
    again = subprocess.run([sys.executable, "-m", "harness", *words], capture_output=True, text=True, check=True)
    (manifest,) = tmp_path.glob("token_audit/*/manifest.json")
    assert f"found: computed {json.loads(manifest.read_text())['ended']} " in again.stdout
