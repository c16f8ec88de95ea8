"""A tensor comes back bit for bit, or not at all."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from harness.models.activations._tensor_file import DamagedFile, read_tensor, write_tensor

ABOUT = {"hook": "blocks.0.hook_out", "tokens": "f00"}


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6, dtype=torch.float32).reshape(2, 3),
        torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
        torch.arange(24.0).reshape(4, 6)[:, ::2],
        torch.ones(3, 1).expand(3, 5),
        torch.tensor([1.5, float("nan"), float("-inf")], dtype=torch.bfloat16),
        torch.tensor(3, dtype=torch.int64),
        torch.zeros(0, 4, dtype=torch.float16),
        torch.tensor([True, False]),
    ],
    ids=["plain", "transposed", "strided", "expanded", "bfloat16", "scalar", "empty", "bool"],
)
def test_there_and_back(tmp_path: Path, tensor: torch.Tensor) -> None:
    path = tmp_path / "deep" / "x.safetensors"
    assert write_tensor(path, tensor, ABOUT) == path.stat().st_size
    back = read_tensor(path, ABOUT)
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    torch.testing.assert_close(back, tensor.contiguous(), rtol=0, atol=0, equal_nan=True)


def test_it_is_safetensors_that_others_read(tmp_path: Path) -> None:
    write_tensor(tmp_path / "x.safetensors", torch.eye(3), ABOUT)
    with safe_open(tmp_path / "x.safetensors", framework="np") as file:
        assert file.metadata()["hook"] == "blocks.0.hook_out"
        assert file.get_tensor("activation").trace() == 3


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    write_tensor(tmp_path / "x.safetensors", torch.eye(3), ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.files.os.replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_tensor(tmp_path / "x.safetensors", torch.eye(3), ABOUT)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("written") / "x.safetensors"
    write_tensor(path, torch.arange(5, dtype=torch.float32), ABOUT)
    return path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_is_noticed(written: bytes, tmp_path: Path, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(written) * 8 - 1))
    damaged = bytearray(written)
    damaged[bit // 8] ^= 1 << bit % 8
    path = tmp_path / "x.safetensors"
    path.write_bytes(damaged)
    try:
        back = read_tensor(path, ABOUT)
    except DamagedFile:
        return
    # A flip that changes nothing (a space of the header's padding turned into another blank) may pass.
    assert torch.equal(back, torch.arange(5, dtype=torch.float32))


@pytest.mark.parametrize("kept", [0, 7, 8, 50, -1])
def test_truncation_is_noticed(written: bytes, tmp_path: Path, kept: int) -> None:
    (tmp_path / "x.safetensors").write_bytes(written[:kept])
    with pytest.raises(DamagedFile):
        read_tensor(tmp_path / "x.safetensors", ABOUT)


def test_another_tensor_under_this_name_is_noticed(written: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(written)
    with pytest.raises(DamagedFile, match="it says it is"):
        read_tensor(tmp_path / "x.safetensors", {**ABOUT, "hook": "blocks.1.hook_out"})


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tensor(tmp_path / "x.safetensors", ABOUT)
