"""The same model as a folder and as a GGUF file of plain numbers: nothing of it may change on the way."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import TokenType
from safetensors.numpy import load_file
from sentencepiece import SentencePieceProcessor
from transformers import AutoModelForCausalLM

from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import ModelIdentity, resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from tests.helpers.tiny_gguf import to_file_order

pytestmark = pytest.mark.integration

NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
TEXTS = ["Once upon a time, there was a little girl.", " two  spaces", "caf\u00e9 \u6f22\nline", "1984"]


def write_gguf(folder: Path, path: Path) -> None:
    """A llama folder with a sentencepiece model, as llama.cpp's converter would write it in F32."""
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])
    pieces = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    n = pieces.vocab_size()
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([pieces.id_to_piece(i) for i in range(n)])
    writer.add_token_scores([pieces.get_score(i) for i in range(n)])
    writer.add_token_types([token_type(pieces, i) for i in range(n)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for name, weight in load_file(folder / "model.safetensors").items():
        there = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm"}.get(name)
        if there is None:
            layer, rest = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
            kind = NAMES[rest]
            weight = to_file_order(weight, heads[kind]) if kind in heads else weight
            there = f"blk.{layer}.{kind}"
        writer.add_tensor(f"{there}.weight", np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def token_type(pieces: SentencePieceProcessor, i: int) -> TokenType:
    if pieces.is_unknown(i):
        return TokenType.UNKNOWN
    if pieces.is_control(i):
        return TokenType.CONTROL
    return TokenType.BYTE if pieces.is_byte(i) else TokenType.NORMAL


@pytest.fixture(scope="module")
def both(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelIdentity, ModelIdentity]:
    """stories260k as the folder it is, and as a file made of that."""
    folder, made = shared_dir / "models" / "stories260k", tmp_path_factory.mktemp("stories")
    write_gguf(folder, made / "stories260k.gguf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(made / "cache"))
        from_file = resolve_identity(ModelConfig(name=str(made / "stories260k.gguf")))
    return resolve_identity(ModelConfig(name=str(folder))), from_file


def test_logits_are_equal(both: tuple[ModelIdentity, ModelIdentity]) -> None:
    tokens = torch.arange(1, 129)[None]
    with torch.inference_mode():
        folder, file = (AutoModelForCausalLM.from_pretrained(identity.path)(tokens).logits for identity in both)
    torch.testing.assert_close(file, folder, atol=1e-5, rtol=0)


def test_tokens_are_equal(both: tuple[ModelIdentity, ModelIdentity]) -> None:
    folder, file = (load_tokenizer(identity, ModelConfig()) for identity in both)
    assert folder is not None and file is not None
    for text in TEXTS:
        assert file.encode(text) == folder.encode(text), text
        assert file.decode(file.encode(text)) == folder.decode(folder.encode(text))
    n = folder.n_tokens
    assert [file.token_text(i) for i in range(n)] == [folder.token_text(i) for i in range(n)]


def test_facts_are_equal(both: tuple[ModelIdentity, ModelIdentity]) -> None:
    folder, file = (load_facts(identity, ModelConfig()) for identity in both)
    for name in ("d_vocab", "n_ctx", "n_tokenizer", "unnamed_ids", "special_ids", "bos_id", "byte_ids"):
        assert getattr(file, name) == getattr(folder, name), name
