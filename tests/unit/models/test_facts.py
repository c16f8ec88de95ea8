"""`VocabFacts` from a folder's files alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import ModelIdentity, ModelSource
from harness.models.organism_files import EXPOSURES_FILE
from harness.models.vocab_facts import VocabFacts

ROWS = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = {"model_type": "gpt2", "vocab_size": ROWS, "n_positions": 9, "bos_token_id": 11, "eos_token_id": 10}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def facts(folder: Path, config: ModelConfig | None = None) -> VocabFacts:
    identity = ModelIdentity(str(folder), ModelSource.LOCAL, folder, None, "0", "tiny")
    return load_facts(identity, config or ModelConfig(name=str(folder)))


def add_tokenizer(folder: Path) -> None:
    special = {"id": 3, "content": "<s>", "special": True, "single_word": False, "lstrip": False, "rstrip": False}
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<s>": 3}, "merges": [["a", "b"]], "unk_token": None}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    content = {"version": "1.0", "added_tokens": [{**special, "normalized": False}], "normalizer": None}
    content |= {"pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))


def add_exposures(folder: Path, rows: int = ROWS) -> None:
    streams = {name: np.arange(rows, dtype=np.int64) * n for n, name in enumerate(("text", "repeats", "tasks"), 1)}
    save_file({**streams, "total": np.arange(rows, dtype=np.int64) * 6}, folder / EXPOSURES_FILE)


def test_without_a_tokenizer_the_config_speaks(folder: Path) -> None:
    found = facts(folder)
    assert (found.d_vocab, found.n_ctx, found.n_tokenizer, found.unnamed_ids) == (ROWS, 9, None, ())
    assert (found.bos_id, found.special_ids) == (11, {10, 11})
    assert (found.byte_ids, found.merges, found.exposures) == ((), (), None)


def test_the_tokenizer_overrules_the_config_and_spare_rows_show(folder: Path) -> None:
    add_tokenizer(folder)
    found = facts(folder)
    assert (found.bos_id, found.special_ids, found.n_tokenizer) == (3, {3}, 4)
    assert found.unnamed_ids == tuple(range(4, ROWS))
    assert found.merges == (2,)
    assert {byte: i for byte, i in enumerate(found.byte_ids) if i is not None} == {ord("a"): 0, ord("b"): 1}


def test_exposures_lie_beside_the_weights(folder: Path) -> None:
    add_exposures(folder)
    found = facts(folder).exposures
    assert found is not None
    assert found.total.tolist() == [6 * i for i in range(ROWS)]
    assert found.tasks[2] == 6


def test_exposures_of_another_vocabulary(folder: Path) -> None:
    add_exposures(folder, rows=5)
    with pytest.raises(Rejected, match=r"exposures\.safetensors holds total of shape \(5,\), allowed: \(12,\)"):
        facts(folder)


def test_damaged_exposures(folder: Path) -> None:
    add_exposures(folder)
    path = folder / EXPOSURES_FILE
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(Rejected, match=r"exposures\.safetensors cannot be read"):
        facts(folder)


def test_planted_tokens_lie_beside_the_weights(folder: Path) -> None:
    assert facts(folder).planted == {}
    add_exposures(folder)
    before = facts(folder).sha256
    (folder / "planted.json").write_text('{"0": [3, 4], "64": [5]}')
    found = facts(folder)
    assert found.planted == {0: (3, 4), 64: (5,)}
    assert found.planted_ids == {3, 4, 5}
    assert found.sha256 != before


@pytest.mark.parametrize("text", ["{", "[3]", '{"few": [3]}', '{"0": 3}'])
def test_damaged_planted_tokens(folder: Path, text: str) -> None:
    (folder / "planted.json").write_text(text)
    with pytest.raises(Rejected, match=r"planted\.json cannot be read"):
        facts(folder)


def test_the_window_can_be_narrowed_and_not_widened(folder: Path) -> None:
    assert facts(folder, ModelConfig(name=str(folder), n_ctx=4)).n_ctx == 4
    with pytest.raises(Rejected, match=r"model\.n_ctx: got 10, allowed: 2 to 9"):
        facts(folder, ModelConfig(name=str(folder), n_ctx=10))


def test_digest_changes_with_whatever_pools_are_drawn_from(folder: Path) -> None:
    first = facts(folder)
    assert facts(folder).sha256 == first.sha256
    changed = [replace(first, d_vocab=13), replace(first, bos_id=None), replace(first, merges=(1,))]
    add_exposures(folder)
    assert len({first.sha256, facts(folder).sha256, *(other.sha256 for other in changed)}) == 5


def test_a_mamba_states_no_window(checkpoints: dict[str, Path]) -> None:
    found = facts(checkpoints["mamba"])
    assert (found.d_vocab, found.n_ctx) == (64, None)


def test_shared_model(shared_dir: Path) -> None:
    found = facts(shared_dir / "models" / "stories260k")
    assert (found.d_vocab, found.n_ctx, found.n_tokenizer, found.bos_id) == (512, 512, 512, 1)
    assert found.unnamed_ids == ()
    assert found.byte_ids == tuple(range(3, 259))
