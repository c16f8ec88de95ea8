"""What config.json says of ids, in the shapes that model families write it."""

import json
from pathlib import Path

import pytest

from harness.errors import Rejected
from harness.models.config_file import ConfigFile, load_config_file
from harness.models.identity import ModelIdentity, ModelSource


def load(tmp_path: Path, content: dict) -> ConfigFile:
    (tmp_path / "config.json").write_text(json.dumps(content))
    return load_config_file(ModelIdentity(str(tmp_path), ModelSource.LOCAL, tmp_path, None, "0", "tiny"))


def test_gpt2_names(tmp_path: Path) -> None:
    content = {"model_type": "gpt2", "vocab_size": 10, "n_positions": 7, "bos_token_id": 9, "eos_token_id": 9}
    assert load(tmp_path, content) == ConfigFile(10, 7, 9, frozenset({9}))


def test_nested_text_config_comes_first(tmp_path: Path) -> None:
    text = {"vocab_size": 20, "max_position_embeddings": 5, "bos_token_id": 2}
    content = {"model_type": "gemma3", "text_config": text, "vocab_size": 3, "eos_token_id": [1, 4], "pad_token_id": 0}
    assert load(tmp_path, content) == ConfigFile(20, 5, 2, frozenset({0, 1, 2, 4}))


def test_special_ids_beyond_the_vocabulary_are_dropped(tmp_path: Path) -> None:
    content = {"model_type": "gpt2", "vocab_size": 10, "n_positions": 7, "bos_token_id": 50256, "pad_token_id": -1}
    assert load(tmp_path, content) == ConfigFile(10, 7, None, frozenset())


def test_what_the_file_leaves_out_is_the_class_default(tmp_path: Path) -> None:
    assert load(tmp_path, {"model_type": "gpt2"}) == ConfigFile(50257, 1024, None, frozenset())


def test_a_model_without_a_window(tmp_path: Path) -> None:
    assert load(tmp_path, {"model_type": "mamba", "vocab_size": 10}).n_ctx is None


def test_an_unknown_model_type(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="transformers cannot read its config"):
        load(tmp_path, {"model_type": "no-such-family"})
