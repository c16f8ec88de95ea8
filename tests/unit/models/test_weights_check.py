"""`check_weights` refuses every folder that could not be loaded whole, and says which fault it is."""

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.errors import Rejected
from harness.models._weights import WeightFormat, check_weights, find_weights, weights_sha256

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tiny"
    made.mkdir()
    (made / "config.json").write_text('{"model_type": "gpt2", "vocab_size": 4}')
    save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float16)}, made / WEIGHTS)
    return made


def edit(path: Path, change) -> None:
    path.write_bytes(change(path.read_bytes()))


def header_size(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def with_header(content: bytes, change) -> bytes:
    """The file with its header, as parsed JSON, changed by `change`."""
    end = 8 + header_size(content)
    header = json.loads(content[8:end])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[end:]


def test_a_sound_folder_passes(folder: Path) -> None:
    files = check_weights(folder)
    assert files.format is WeightFormat.SAFETENSORS
    assert files.paths == (folder / WEIGHTS,)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"model\.name: got '.*nowhere': no such folder; allowed: "):
        check_weights(tmp_path / "nowhere")


def test_a_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(Rejected, match="not a folder"):
        check_weights(folder / WEIGHTS)


def test_no_config(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(Rejected, match=r"has no config\.json"):
        check_weights(folder)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"model_type": "gpt', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "neither a model_type nor architectures"),
    ],
)
def test_corrupt_config(folder: Path, content: bytes, problem: str) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(Rejected, match=problem):
        check_weights(folder)


def test_no_weights(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "exposures.safetensors")
    with pytest.raises(Rejected, match="the folder has no weights"):
        check_weights(folder)


@pytest.mark.parametrize("kept", [0, 4, 8, 20, -1, -10])
def test_truncated_safetensors(folder: Path, kept: int) -> None:
    edit(folder / WEIGHTS, lambda content: content[:kept])
    with pytest.raises(Rejected, match=r"model\.safetensors is truncated or corrupt: \S"):
        check_weights(folder)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda c: (1 << 60).to_bytes(8, "little") + c[8:], id="absurd header length"),
        pytest.param(lambda c: c[:8] + b"#" + c[9:], id="header is no JSON"),
        pytest.param(lambda c: c + b"\0", id="bytes behind the last tensor"),
        pytest.param(lambda c: with_header(c, lambda h: h["a"].update(shape=[2, 4])), id="shape and bytes disagree"),
        pytest.param(lambda c: with_header(c, lambda h: h["a"].pop("dtype")), id="no dtype"),
        pytest.param(lambda c: with_header(c, lambda h: h["b"].update(data_offsets=[16, 24])), id="overlap"),
        pytest.param(lambda c: with_header(c, lambda h: h["b"].update(data_offsets=[25, 33])) + b"\0", id="gap"),
        pytest.param(lambda c: with_header(c, lambda h: h["a"].update(dtype="F9")), id="unknown dtype"),
        pytest.param(lambda c: c[:8] + b"\xff" + c[9:], id="header is no text"),
    ],
)
def test_corrupt_safetensors(folder: Path, change) -> None:
    edit(folder / WEIGHTS, change)
    with pytest.raises(Rejected, match=r"model\.safetensors is truncated or corrupt: \S"):
        check_weights(folder)


def shard(folder: Path) -> Path:
    (folder / WEIGHTS).rename(folder / "model-00001-of-00002.safetensors")
    save_file({"c": np.zeros(2, np.float32)}, folder / "model-00002-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    return folder / "model-00002-of-00002.safetensors"


def test_shards_pass_and_are_all_hashed(folder: Path) -> None:
    second = shard(folder)
    assert len(check_weights(folder).paths) == 3
    before = weights_sha256(folder)
    edit(second, lambda content: content[:-1] + b"\x01")
    assert weights_sha256(folder) != before


def test_missing_shard(folder: Path) -> None:
    shard(folder).unlink()
    with pytest.raises(Rejected, match=r"the shard model-00002-of-00002\.safetensors .* is missing"):
        check_weights(folder)


def test_truncated_shard(folder: Path) -> None:
    edit(shard(folder), lambda content: content[:-1])
    with pytest.raises(Rejected, match=r"model-00002-of-00002\.safetensors is truncated or corrupt: \S"):
        check_weights(folder)


def test_an_index_cannot_point_outside_the_folder(folder: Path) -> None:
    shard(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../secret.safetensors"}}')
    with pytest.raises(Rejected, match="not a file of this folder"):
        check_weights(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": {}}', '{"weight_map": 3}'])
def test_corrupt_index(folder: Path, content: str) -> None:
    shard(folder)
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(Rejected, match=r"model\.safetensors\.index\.json"):
        check_weights(folder)


def test_hash_covers_weights_and_config_and_nothing_else(folder: Path) -> None:
    first = weights_sha256(folder)
    (folder / "README.md").write_text("about")
    (folder / "pytorch_model.bin").write_bytes(b"never read beside safetensors")
    assert weights_sha256(folder) == first
    edit(folder / WEIGHTS, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(folder / WEIGHTS, ns=(0, 1))  # a file system's clock may be too coarse to tell the two writes apart
    second = weights_sha256(folder)
    (folder / "config.json").write_text('{"model_type": "gpt2", "vocab_size": 5}')
    assert len({first, second, weights_sha256(folder)}) == 3


def test_a_file_is_read_once_unless_it_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    digest = hashlib.file_digest

    def counted(file: BinaryIO, name: str) -> object:
        read.append(Path(file.name).name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    first = weights_sha256(folder)
    assert weights_sha256(folder) == first
    assert sorted(read) == ["config.json", WEIGHTS]
    edit(folder / WEIGHTS, lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(folder / WEIGHTS, ns=(0, 1))
    assert weights_sha256(folder) != first
    assert sorted(read) == ["config.json", WEIGHTS, WEIGHTS]


class TestPickles:
    def test_a_plain_state_dict_is_read(self, folder: Path) -> None:
        import torch

        (folder / WEIGHTS).unlink()
        torch.save({"a": torch.zeros(2)}, folder / "pytorch_model.bin")
        assert check_weights(folder).format is WeightFormat.PICKLE

    def test_a_pickle_with_code_is_refused_and_not_run(self, folder: Path, tmp_path: Path) -> None:
        import torch

        trace = tmp_path / "it ran"

        class Planted:
            def __reduce__(self) -> tuple:
                return os.mkdir, (str(trace),)

        (folder / WEIGHTS).unlink()
        torch.save({"a": torch.zeros(2), "b": Planted()}, folder / "pytorch_model.bin")
        with pytest.raises(Rejected, match=r"weights-only reader refuses.*mkdir"):
            check_weights(folder)
        assert not trace.exists()

    def test_a_bare_pickle_with_code_is_refused(self, folder: Path, tmp_path: Path) -> None:
        (folder / WEIGHTS).unlink()
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(os.mkdir))
        with pytest.raises(Rejected, match=r"pytorch_model\.bin"):
            check_weights(folder)

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"not a pickle"])
    def test_garbage_is_refused(self, folder: Path, content: bytes) -> None:
        (folder / WEIGHTS).unlink()
        (folder / "pytorch_model.bin").write_bytes(content)
        with pytest.raises(Rejected, match=r"pytorch_model\.bin"):
            check_weights(folder)

    def test_something_other_than_tensors_is_refused(self, folder: Path) -> None:
        import torch

        (folder / WEIGHTS).unlink()
        torch.save({"a": [1, 2]}, folder / "pytorch_model.bin")
        with pytest.raises(Rejected, match="other than named tensors"):
            check_weights(folder)


def test_safetensors_are_preferred_to_pickles(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert find_weights(folder).format is WeightFormat.SAFETENSORS
