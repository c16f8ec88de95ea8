"""A model that is in memory lends its weights to a second way of running it; neither computes differently for it."""

import gc
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor
from torch.nn import Embedding

from harness.models import _in_memory
from harness.models._in_memory import FusedGELU, fingerprint, lender
from harness.models.answers.causal_model import CausalModel
from harness.models.bridge import boot
from harness.models.config import DType, ModelConfig
from harness.models.identity import resolve_identity

FAMILIES = ("gpt2", "gpt_neox", "llama", "mamba", "gptj")


def folder_of(family: str, checkpoints: Mapping[str, Path], tmp_path: Path) -> Path:
    if family != "gptj":
        return checkpoints[family]
    # Binds its kind of attention when it is made, so that its parameters cannot be borrowed.
    config = transformers.GPTJConfig(vocab_size=64, n_positions=32, n_embd=16, n_layer=2, n_head=4, rotary_dim=4)
    torch.manual_seed(0)
    transformers.GPTJForCausalLM(config).save_pretrained(tmp_path / "gptj")
    return tmp_path / "gptj"


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 64, (3, 12), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_borrowing_changes_no_logit_on_either_side(
    family: str, checkpoints: Mapping[str, Path], tmp_path: Path, tokens: Tensor
) -> None:
    config = ModelConfig(name=str(folder_of(family, checkpoints, tmp_path)), device="cpu")
    identity = resolve_identity(config)
    assert lender(identity, config) is None
    alone = boot(identity, config)
    expected_hooked = alone.forward(tokens)
    alone.close()
    answering = CausalModel.load(identity, config)
    expected_plain = answering.logits(tokens)

    assert (lender(identity, config) is None) == (family == "gptj")
    hooked = boot(identity, config)
    kept: dict[str, Tensor] = {}
    patterns = [name for name in hooked.hook_names if name.endswith("attn.hook_pattern")]
    logits = hooked.forward(tokens, {name: lambda seen, name=name: kept.update({name: seen}) for name in patterns})
    assert torch.equal(logits, expected_hooked)
    assert set(kept) == set(patterns)
    assert torch.equal(answering.logits(tokens), expected_plain)
    hooked.close()
    assert torch.equal(answering.logits(tokens), expected_plain)
    answering.close()


def test_one_matrix_serves_both(checkpoints: Mapping[str, Path]) -> None:
    config = ModelConfig(name=str(checkpoints["llama"]), device="cpu")
    identity = resolve_identity(config)
    answering = CausalModel.load(identity, config)
    hooked = boot(identity, config)
    theirs = {parameter.data_ptr() for parameter in hooked._bridge.original_model.parameters()}
    assert {parameter.data_ptr() for parameter in answering.backend.parameters()} == theirs
    # What carries no gradient of its own is not shared: a rotary table may be rebuilt for longer sequences.
    assert not {b.data_ptr() for b in answering.backend.buffers()} & {
        b.data_ptr() for b in hooked._bridge.original_model.buffers()
    }
    hooked.close()
    answering.close()


def test_another_dtype_or_a_closed_model_lends_nothing(checkpoints: Mapping[str, Path]) -> None:
    config = ModelConfig(name=str(checkpoints["gpt2"]), device="cpu")
    identity = resolve_identity(config)
    answering = CausalModel.load(identity, config)
    assert lender(identity, config) is not None
    assert lender(identity, ModelConfig(name=config.name, device="cpu", dtype=DType.BFLOAT16)) is None
    assert lender(identity, ModelConfig(name=config.name, device="cpu", compatibility_mode=True)) is None
    answering.close()
    gc.collect()
    assert lender(identity, config) is None


def test_another_device_or_layers_of_another_dtype_lend_nothing(
    checkpoints: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ModelConfig(name=str(checkpoints["gpt2"]), device="cpu", dtype=DType.BFLOAT16)
    identity = resolve_identity(config)
    answering = CausalModel.load(identity, config)
    assert lender(identity, config) is not None
    with monkeypatch.context() as patched:
        # Of the same kind: the fingerprint is equal.
        patched.setattr(_in_memory, "resolve_device", lambda _: "cpu:1")
        assert _in_memory.fingerprint(identity, config) == fingerprint(identity, config)
        assert lender(identity, config) is None
    backend = answering.backend
    _in_memory._PLAIN.clear()
    backend.transformer.ln_f.float()
    _in_memory.lend(identity, config, backend)
    assert lender(identity, config) is None
    answering.close()


def test_only_the_lent_copy_gets_transformers_own_activation_back(checkpoints: Mapping[str, Path]) -> None:
    config = ModelConfig(name=str(checkpoints["gpt2"]), device="cpu")
    identity = resolve_identity(config)
    answering = CausalModel.load(identity, config)
    hooked = boot(identity, config)
    assert any(isinstance(module, FusedGELU) for module in answering.backend.modules())
    assert not any(isinstance(module, FusedGELU) for module in hooked._bridge.original_model.modules())
    assert isinstance(answering.backend.get_input_embeddings(), Embedding)
    hooked.close()
    answering.close()
