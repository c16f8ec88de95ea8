"""A lazy model boots when it must, and only then."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.models.lazy import LazyModel, lazy_model
from harness.models.loaded import ModelStructure


class Memory:
    """Structures kept in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, ModelStructure] = {}

    def structure(self, fingerprint: str) -> ModelStructure | None:
        return self.kept.get(fingerprint)

    def remember(self, fingerprint: str, structure: ModelStructure) -> None:
        self.kept[fingerprint] = structure


def make(folder: Path, memory: Memory | None = None, **options: object) -> LazyModel:
    config = ModelConfig(name=str(folder), device="cpu", **options)
    return lazy_model(resolve_identity(config), config, memory)


def test_boots_on_the_first_pass_and_answers_like_the_model(checkpoints: Mapping[str, Path]) -> None:
    lazy = make(checkpoints["gpt2"])
    assert not lazy.is_booted
    assert (lazy.device, lazy.dtype, len(lazy.fingerprint)) == ("cpu", torch.float32, 64)
    assert not lazy.is_booted
    logits = lazy.forward(torch.zeros(1, 4, dtype=torch.long))
    assert lazy.is_booted
    assert logits.shape == (1, 4, 64)
    assert lazy.fingerprint == lazy.booted.fingerprint
    assert lazy.is_tied
    lazy.close()
    assert not lazy.is_booted


def test_a_remembered_structure_needs_no_weights(checkpoints: Mapping[str, Path]) -> None:
    memory = Memory()
    first = make(checkpoints["gpt2"], memory)
    expected = first.structure
    assert first.is_booted
    first.close()
    second = make(checkpoints["gpt2"], memory)
    assert second.structure == expected
    assert second.has_attention_patterns
    assert not second.is_booted
    other = make(checkpoints["gpt_neox"], memory)
    assert other.structure != expected
    assert other.is_booted


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_missing_device_shows_before_booting(checkpoints: Mapping[str, Path]) -> None:
    config = ModelConfig(name=str(checkpoints["gpt2"]), device="cuda")
    with pytest.raises(Rejected, match=r"model\.device"):
        lazy_model(resolve_identity(config), config)
