"""SmolLM2-135M-Instruct from its GGUF file: facts known of the model, and an answer that makes sense."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import ModelIdentity, resolve_identity
from harness.models.tokenizer_loading import load_tokenizer

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def smollm2(smollm2_file: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelIdentity:
    """The model, converted into a cache of its own unless $HARNESS_CACHE names one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", os.environ.get("HARNESS_CACHE") or str(tmp_path_factory.mktemp("cache")))
        return resolve_identity(ModelConfig(name=str(smollm2_file)))


def test_its_tokenizer(smollm2: ModelIdentity) -> None:
    tokenizer, facts = load_tokenizer(smollm2, ModelConfig()), load_facts(smollm2, ModelConfig())
    assert tokenizer is not None
    assert (facts.d_vocab, facts.n_tokenizer, facts.n_ctx, facts.bos_id) == (49_152, 49_152, 8192, 1)
    assert facts.unnamed_ids == ()
    assert facts.special_ids == frozenset(range(17))
    assert sum(i is not None for i in facts.byte_ids) == 235
    assert tokenizer.encode("<|im_start|><|im_end|>") == [1, 2]
    # Trained with every digit by itself: what comes before a number is not drawn to it.
    assert [tokenizer.token_text(i) for i in tokenizer.encode("a  1984")] == ["a", "  ", "1", "9", "8", "4"]
    assert tokenizer.decode(tokenizer.encode("In Paris, 12 people!")) == "In Paris, 12 people!"


def test_its_numbers_are_those_of_the_file(smollm2: ModelIdentity) -> None:
    assert smollm2.path is not None and smollm2.gguf is not None
    assert smollm2.gguf.quantisation == ("Q4_1", "Q8_0")
    assert smollm2.gguf.tensor_types["attn_q"] == {"Q4_1": 30}
    held = {tensor.name: tensor for tensor in GGUFReader(smollm2.name).tensors}
    names = {"token_embd": "model.embed_tokens", "blk.17.ffn_down": "model.layers.17.mlp.down_proj"}
    with safe_open(smollm2.path / "model.safetensors", framework="numpy") as stored:
        for there, here in names.items():
            tensor = held[f"{there}.weight"]
            expected = dequantize(tensor.data[:100], tensor.tensor_type)
            np.testing.assert_array_equal(stored.get_tensor(f"{here}.weight")[:100], expected)


def test_it_answers(smollm2: ModelIdentity) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(smollm2.path), AutoTokenizer.from_pretrained(smollm2.path)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        said = model.generate(**prompt, max_new_tokens=16, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(said)
    assert int(said[-1]) == 2
