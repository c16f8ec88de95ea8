"""A model of the hub, found in the local cache with the network off: the whole road from its name to logits."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
PROGRAM = """
import json, sys
import torch
from harness.runs.config.schema import ModelConfig
from harness.models.bridge import boot
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer

config = ModelConfig(name="someone/tiny", device="cpu")
identity = resolve_identity(config)
facts, model = load_facts(identity, config), boot(identity, config)
shape = list(model.forward(torch.zeros(1, 5, dtype=torch.long)).shape)
tokenizer = load_tokenizer(identity, config)
print(json.dumps([identity.revision, facts.d_vocab, facts.n_tokenizer, shape, tokenizer is None]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("with_tokenizer", [False, True])
def test_from_the_cache(
    checkpoints: Mapping[str, Path], tmp_path: Path, shared_dir: Path, with_tokenizer: bool
) -> None:
    repository = tmp_path / "hub" / "models--someone--tiny"
    snapshot = shutil.copytree(checkpoints["llama"], repository / "snapshots" / COMMIT)
    if with_tokenizer:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(shared_dir / "models" / "stories260k" / name, snapshot / name)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = [COMMIT, 64, 512 if with_tokenizer else None, [1, 5, 64], not with_tokenizer]
    assert json.loads(done.stdout.splitlines()[-1]) == expected
