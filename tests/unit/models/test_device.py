"""Devices that this machine lacks are refused by name."""

import pytest
import torch

from harness.errors import Rejected
from harness.models._device import resolve_device
from harness.models.config import ModelConfig


def machine(monkeypatch: pytest.MonkeyPatch, n_cuda: int, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: n_cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(("n_cuda", "mps", "best"), [(2, True, "cuda"), (0, True, "mps"), (0, False, "cpu")])
def test_auto_takes_the_best(monkeypatch: pytest.MonkeyPatch, n_cuda: int, mps: bool, best: str) -> None:
    machine(monkeypatch, n_cuda, mps)
    assert resolve_device(ModelConfig()) == best


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_absent_device(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    machine(monkeypatch, 0, False)
    with pytest.raises(Rejected, match=f"model.device: got '{device}', allowed: auto, cpu on this machine"):
        resolve_device(ModelConfig(device=device))


def test_cuda_number(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, 2, False)
    assert resolve_device(ModelConfig(device="cuda:1")) == "cuda:1"
    with pytest.raises(Rejected, match="cuda:0, cuda:1 on this machine"):
        resolve_device(ModelConfig(device="cuda:2"))
