"""`make reference-gpt2` on random weights of GPT-2's shape with its tokenizer: only the weights are left to the hub."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[2]
SMALLER = {
    "repeat_tokens": ["exp.n_sequences=2"],
    "echo_token": ["exp.n_tokens=2", "exp.n_seeds=1"],
    "undertrained": ["exp.percentile=0.02", "exp.controls=2"],
}
"""So that random weights take minutes: fewer sequences, tokens and candidates, and nothing else."""


@pytest.fixture(scope="module")
def gpt2_shaped(tmp_path_factory, shared_dir):
    import torch
    import transformers as tf

    folder = tmp_path_factory.mktemp("models") / "gpt2"
    tf.utils.logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tf.GPT2LMHeadModel(tf.GPT2Config()).save_pretrained(folder)
    for path in (shared_dir / "tokenizers" / "gpt2").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def commands(model: Path, runs: Path, reference: Path) -> list[str]:
    """What `make reference-gpt2` would do, line by line, with this Python."""
    made = subprocess.run(
        ["make", "-n", "reference-gpt2", f"MODEL={model}", "SEEDS=0", f"GPT2_RUNS={runs}",
         f"GPT2_REFERENCE={reference}", "READY="],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [line.replace(".venv/bin/python", sys.executable, 1) for line in made.splitlines() if line.strip()]


def test_every_published_figure_stands_beside_a_measured_one(gpt2_shaped, tmp_path):
    runs, reference = tmp_path / "runs", tmp_path / "reference"
    for line in commands(gpt2_shaped, runs, reference):
        small = next((more for name, more in SMALLER.items() if f"exp={name} " in line), [])
        done = subprocess.run(
            f"{line} {shlex.join(small)}", shell=True, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stderr)

    beside = pd.read_csv(reference / "repeat_tokens" / "tables" / "published.csv")
    assert set(beside["draws"]) == {"replacement", "matched"}
    halves = beside[(beside["draws"] == "replacement") & beside["quantity"].str.contains("half")]
    assert sorted(halves["published"]) == [-19.675, -17.27, -7.327, -0.971]
    # Random weights say every token alike: ln(50,257) = 10.8 nats, give or take their small scores.
    assert halves["measured"].between(-11.5, -10.3).all()
    pd.testing.assert_series_equal(
        halves["measured minus published"], halves["measured"] - halves["published"], check_names=False
    )
    verified = pd.read_csv(reference / "undertrained" / "published.csv").set_index("figure")
    assert verified.loc["verified", "published"] == 33 and verified.loc["candidates", "published"] == 999
    assert verified.loc["indicator mean", "published"] == 0.536
    assert 0.9 < verified.loc["indicator mean", "measured"] < 1.1  # cosine distances of random rows
    echo = json.loads((reference / "echo_token" / "metrics.json").read_text())
    assert {"unused/greedy/success", "common/greedy/success"} <= set(echo)
    assert (reference / "repeat_tokens" / "figures" / "logprob_grid.png").is_file()
