"""The comparison at every boot finds what it must find: windows, masks, chunks, and in every dtype."""

import copy
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import transformers as tf
from torch import Tensor

from harness.errors import Rejected
from harness.models import _bridge_check
from harness.models._attention_choice import attending_rightly
from harness.models._bridge_check import Witness, probes, stated_distances
from harness.models.answers.causal_model import CausalModel
from harness.models.bridge import boot
from harness.models.config import DType, ModelConfig
from harness.models.identity import resolve_identity
from tests.helpers.zoo import ROWS, save_model

pytestmark = pytest.mark.integration
BY_NAME = {row.name: row for row in ROWS}


def witness_of(folder: Path, attention: str = "eager") -> tuple[Witness, tf.PreTrainedModel]:
    witness = Witness(lambda _: tf.AutoModelForCausalLM, n_ctx=64, device="cpu")
    config = tf.AutoConfig.from_pretrained(folder)
    return witness, witness.from_pretrained(str(folder), config=config, attn_implementation=attention)


def forward_of(model: tf.PreTrainedModel):
    def forward(tokens: Tensor) -> Tensor:
        with torch.no_grad():
            return model(tokens, use_cache=False).logits

    return forward


def test_a_window_that_is_ignored_is_found(tmp_path: Path) -> None:
    witness, model = witness_of(save_model(BY_NAME["mistral"], tmp_path))
    assert witness.compare(forward_of(model), model.get_input_embeddings()).largest < 1e-5
    config = copy.deepcopy(model.config)
    config.sliding_window = None
    blind = tf.MistralForCausalLM(config)
    blind.load_state_dict(model.state_dict())
    found = witness.compare(forward_of(blind.eval()), blind.get_input_embeddings())
    assert not found.agrees
    assert found.largest > 0.1 > found.tolerance


def test_ids_taken_for_padding_are_found(tmp_path: Path) -> None:
    witness, model = witness_of(save_model(BY_NAME["llama"], tmp_path))

    def masked(tokens: Tensor) -> Tensor:
        with torch.no_grad():
            return model(tokens, attention_mask=(tokens != 0).long(), use_cache=False).logits

    assert not witness.compare(masked, model.get_input_embeddings()).agrees


@pytest.mark.parametrize("dtype", [DType.BFLOAT16, DType.FLOAT16])
@pytest.mark.parametrize(("name", "runs"), [("gpt2", True), ("llama", True), ("gpt2-unscaled", False)])
def test_half_precision_is_neither_refused_for_rounding_nor_excused_by_it(
    tmp_path: Path, name: str, runs: bool, dtype: DType
) -> None:
    config = ModelConfig(name=str(save_model(BY_NAME[name], tmp_path)), device="cpu", dtype=dtype)
    if runs:
        boot(resolve_identity(config), config).close()
        return
    with pytest.raises(Rejected, match=r"computes GPT2LMHeadModel otherwise with this config: .*tolerance 0\.\d"):
        boot(resolve_identity(config), config)


def test_the_plain_model_is_asked_with_the_attention_that_transformers_takes(tmp_path: Path) -> None:
    # ALiBi is added twice in Falcon's eager attention, and its attention cannot be exchanged once it is made.
    folder = save_model(BY_NAME["falcon-alibi"], tmp_path)
    tokens = torch.arange(10)[None]
    eager = tf.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    right = tf.AutoModelForCausalLM.from_pretrained(folder).eval()
    expected = forward_of(right)(tokens)
    with attending_rightly(eager, is_placed=False) as model:
        torch.testing.assert_close(forward_of(model)(tokens), expected, rtol=0, atol=1e-6)
        assert model.get_input_embeddings().weight.data_ptr() == eager.get_input_embeddings().weight.data_ptr()
        assert not any(parameter.is_meta for parameter in model.parameters())
    assert (forward_of(eager)(tokens) - expected).abs().max() > 0.1


def test_a_model_in_memory_is_asked_as_well(checkpoints: Mapping[str, Path], tmp_path: Path) -> None:
    config = ModelConfig(name=str(save_model(BY_NAME["gpt2-unscaled"], tmp_path)), device="cpu")
    identity = resolve_identity(config)
    answering = CausalModel.load(identity, config)
    tokens = torch.arange(10)[None]
    before = answering.logits(tokens)
    with pytest.raises(Rejected, match="otherwise with this config"):
        boot(identity, config)
    assert torch.equal(answering.logits(tokens), before)
    assert answering.backend.config._attn_implementation == "sdpa"
    answering.close()


def test_where_a_model_begins_to_compute_otherwise() -> None:
    rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "rope_theta": 1e4}
    config = tf.MistralConfig(sliding_window=16, max_position_embeddings=128, rope_parameters=rope)
    assert stated_distances(config, 128) == [16, 32]
    assert stated_distances(config, 20) == [16]
    assert stated_distances(tf.MistralConfig(sliding_window=None), 128) == []
    assert stated_distances(tf.GPT2Config(), 1024) == []


def test_what_would_take_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = tf.AutoModelForCausalLM.from_pretrained(save_model(BY_NAME["mistral"], tmp_path))
    assert [tuple(probe.tokens.shape) for probe in probes(model, 64)] == [(1, 16), (2, 12)]
    monkeypatch.setattr(_bridge_check, "_MOST_POSITIONS", 8)
    with caplog.at_level(logging.INFO):
        assert [tuple(probe.tokens.shape) for probe in probes(model, 64)] == [(2, 12)]
    assert "not compared with the plain model beyond 8 tokens" in caplog.text
    # A window as short as a row may be.
    assert [tuple(probe.tokens.shape) for probe in probes(model, 2)] == [(2, 2)]


def test_a_model_that_transformers_cannot_run_is_told_from_one_that_the_bridge_cannot(tmp_path: Path) -> None:
    folder = save_model(BY_NAME["mixtral"], tmp_path / "mixtral")
    broken = tf.AutoConfig.from_pretrained(folder)
    broken.num_experts_per_tok = 9  # of four: its weights fit, and no token can be sent to so many
    broken.save_pretrained(folder)
    config = ModelConfig(name=str(folder), device="cpu")
    with pytest.raises(
        Rejected, match=r"transformers loads MixtralForCausalLM and cannot run it \(\w+: .*k out of range"
    ):
        boot(resolve_identity(config), config)
    folder = save_model(BY_NAME["gpt_bigcode-heads"], tmp_path / "bigcode")
    config = ModelConfig(name=str(folder), device="cpu")
    with pytest.raises(Rejected, match=r"transformers runs GPTBigCodeForCausalLM, TransformerLens .* cannot \(\w+: "):
        boot(resolve_identity(config), config)


@pytest.mark.parametrize("name", ["gpt2", "llama", "falcon"])
def test_no_layer_s_pattern_is_kept_in_the_output(tmp_path: Path, name: str) -> None:
    config = ModelConfig(name=str(save_model(BY_NAME[name], tmp_path)), device="cpu")
    model = boot(resolve_identity(config), config)
    assert not model.backend.config.output_attentions
    with torch.inference_mode():
        assert not model.backend(torch.arange(10)[None], use_cache=False).attentions
    model.close()
