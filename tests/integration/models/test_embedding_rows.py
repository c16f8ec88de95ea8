"""Rows read from the files are those that the loaded model has, whatever the architecture and the files are like."""

import json

import numpy as np
import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file

from harness.models import embedding_rows
from harness.models.answers.causal_model import CausalModel
from harness.models.config import DType, ModelConfig
from harness.models.embedding_rows import load_embedding_rows
from harness.models.identity import resolve_identity

pytestmark = pytest.mark.integration

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
CONFIGS = {
    "gpt2": lambda: tf.GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2),
    "gpt2 untied": lambda: tf.GPT2Config(
        vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2, tie_word_embeddings=False
    ),
    "llama tied": lambda: tf.LlamaConfig(**SMALL, intermediate_size=32, tie_word_embeddings=True),
    "llama": lambda: tf.LlamaConfig(**SMALL, intermediate_size=32),
    "gpt_neox": lambda: tf.GPTNeoXConfig(**SMALL, intermediate_size=32),
    "mamba": lambda: tf.MambaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, state_size=4),
    "opt projected": lambda: tf.OPTConfig(**SMALL, ffn_dim=32, word_embed_proj_dim=8, max_position_embeddings=16),
    "gemma2": lambda: tf.Gemma2Config(**SMALL, intermediate_size=32, num_key_value_heads=1, head_dim=8),
    "bloom": lambda: tf.BloomConfig(vocab_size=40, hidden_size=16, n_layer=1, n_head=2),
}


def write(folder, config, **how):
    tf.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    model = tf.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    model.save_pretrained(folder, **how)
    return folder


def both(folder, dtype=DType.FLOAT32):
    config = ModelConfig(name=str(folder), device="cpu", dtype=dtype)
    identity = resolve_identity(config)
    model = CausalModel.load(identity, config)
    expected = model.embedding().float().numpy(), model.unembedding().float().numpy(), model.is_tied
    return load_embedding_rows(identity, config), expected


def assert_same(found, expected):
    embedding, unembedding, is_tied = expected
    assert np.array_equal(found.embedding, embedding)
    assert np.array_equal(found.unembedding, unembedding)
    assert found.embedding.dtype == np.float32
    assert found.is_tied == is_tied


@pytest.fixture
def never_whole(monkeypatch):
    """Reading the model whole is a failure."""

    def fail(*_):
        raise AssertionError("the model was loaded whole")

    monkeypatch.setattr(embedding_rows, "_from_model", fail)


@pytest.mark.parametrize("name", CONFIGS)
def test_rows_are_those_of_the_loaded_model(name, tmp_path, never_whole):
    assert_same(*both(write(tmp_path / "model", CONFIGS[name]())))


def test_shards_and_a_lower_dtype(tmp_path, never_whole):
    folder = write(tmp_path / "model", CONFIGS["llama"](), max_shard_size="4KB")
    assert (folder / "model.safetensors.index.json").is_file()
    assert_same(*both(folder))
    assert_same(*both(folder, DType.BFLOAT16))


def test_a_pickle_and_names_without_the_base_models_prefix(tmp_path, never_whole):
    folder = write(tmp_path / "model", CONFIGS["gpt2"]())
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({name.removeprefix("transformer."): tensor for name, tensor in state.items()},
               folder / "pytorch_model.bin")  # fmt: skip
    assert_same(*both(folder))


def test_what_the_config_ties_and_the_files_hold_twice(tmp_path, never_whole):
    folder = write(tmp_path / "model", CONFIGS["llama tied"]())
    state = load_file(folder / "model.safetensors")
    rows = state["model.embed_tokens.weight"]
    for head in (rows.clone(), rows + 1):
        save_file({**state, "lm_head.weight": head}, folder / "model.safetensors", metadata={"format": "pt"})
        found, expected = both(folder)
        assert_same(found, expected)
        assert found.is_tied == bool((head == rows).all())


def test_names_that_the_architecture_does_not_know_are_read_by_loading_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_rows, "_without_memory", lambda *_: None)
    for name in ("gpt2", "llama"):
        assert_same(*both(write(tmp_path / name, CONFIGS[name]())))


def test_the_files_are_read_once_per_process(tmp_path, monkeypatch):
    folder = write(tmp_path / "model", CONFIGS["gpt2"]())
    config = ModelConfig(name=str(folder), device="cpu")
    first = load_embedding_rows(resolve_identity(config), config)
    monkeypatch.setattr(embedding_rows, "_from_files", lambda *_: pytest.fail("read again"))
    assert load_embedding_rows(resolve_identity(config), config) is first
    # Other bytes under the same path are another model.
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "n_inner": 64}))
    with pytest.raises(pytest.fail.Exception, match="read again"):
        load_embedding_rows(resolve_identity(config), config)
