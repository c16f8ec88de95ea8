"""Merge pruning as a method of exp=repair: the checkpoint that it writes, and what its run says."""

import hashlib
import json
from pathlib import Path

import pytest

from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.identity import EMBEDDED_FOLDER
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.pipeline import execute
from harness.runs.config.compose import compose_run

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]

SMALL = (
    "exp.n_healthy=24", "exp.n_text_tokens=400", "exp.n_calibration=24", "exp.n_copied=8", "tracker=none",
)  # fmt: skip


def tokenizer_of(folder: Path) -> Tokenizer:
    found = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(folder)))
    assert found is not None
    return found


def test_the_mended_checkpoint_is_the_same_model_behind_another_tokenizer(tmp_path: Path) -> None:
    ids = [875, 923, 1162, 1229, 1591, 2848, 115]
    out = tmp_path / "mended"
    run = execute(
        compose_run(["exp=repair", "exp.method=pruning_keep", f"exp.token_ids={ids}", f"exp.out={out}",
                     f"results_dir={tmp_path}", *SMALL])
    )  # fmt: skip
    facts = json.loads((out / "repair.json").read_text())
    removed = facts["mended"]
    assert removed and 115 not in removed and set(facts["left_as_they_were"]) <= set(ids)
    same = [hashlib.sha256((folder / "model.safetensors").read_bytes()).digest() for folder in (EMBEDDED_FOLDER, out)]
    assert same[0] == same[1]
    before, after = tokenizer_of(EMBEDDED_FOLDER), tokenizer_of(out)
    for token in removed:
        text = before.token_text(token)
        assert before.encode(text) == [token] and token not in after.encode(text)
        assert after.decode(after.encode(text)) == text
    assert before.known_ids == after.known_ids
    metrics = run.metrics
    # The weights stay, and so does what is read off ids alone.
    assert metrics["pruning_keep/copy_effect_change"] == 0
    assert metrics["pruning_keep/bytes_per_token"] <= metrics["pruning_keep/bytes_per_token_before"]
    assert metrics["pruning_keep/text_of_lost_tokens"] == 0
    assert metrics["pruning_keep/nats_per_byte"] > 0
