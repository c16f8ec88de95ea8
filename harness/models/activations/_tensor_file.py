"""One tensor in one safetensors file, written without a second copy in memory and read only if every bit is right."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from harness.files import open_whole

_NAME = "activation"
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_CHUNK = 16 << 20


class DamagedFile(Exception):
    """The file is not, bit for bit, what was written."""


def write_tensor(path: Path, tensor: Tensor, about: dict[str, str]) -> int:
    """Write a tensor with a checksum, whole or not at all; returns the file's bytes.

    `about` (key -> text) is stored in the header and covered by the checksum. Works from any device, layout or view.
    Raises OSError where the disk refuses.
    """
    content = _bytes_of(tensor)
    dtype, shape = _DTYPES[tensor.dtype], list(tensor.shape)
    metadata = {**about, "sha256": _digest(content, dtype, shape, about)}
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, content.nbytes]}
    header = json.dumps({"__metadata__": metadata, _NAME: entry}).encode()
    header += b" " * (-len(header) % 8)
    # No fsync: the checksum detects a file that was damaged by a crash, and it can be computed again.
    with open_whole(path, durable=False) as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for start in range(0, content.nbytes, _CHUNK):
            file.write(content[start : start + _CHUNK])
    return 8 + len(header) + content.nbytes


def read_tensor(path: Path, about: dict[str, str]) -> Tensor:
    """The tensor written to `path`, on the CPU. Raises FileNotFoundError, or `DamagedFile` where a bit is off."""

    size = path.stat().st_size
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensor: Tensor = file.get_tensor(_NAME)
    except (SafetensorError, UnicodeDecodeError, KeyError) as error:
        raise DamagedFile(f"{path.name} of {size} bytes: {error}") from error
    stored = metadata.pop("sha256", None)
    if metadata != about:
        raise DamagedFile(f"{path.name}: it says it is {metadata}, not {about}")
    if stored != _digest(_bytes_of(tensor), _DTYPES.get(tensor.dtype, ""), list(tensor.shape), about):
        raise DamagedFile(f"{path.name}: its checksum does not match")
    return tensor


def _bytes_of(tensor: Tensor) -> memoryview:
    """The tensor's bytes in row-major order; the tensor's own memory where it already lies so on the CPU."""
    plain = tensor.detach().to("cpu").contiguous().reshape(-1)
    raw: np.ndarray = plain.view(torch.uint8).numpy()
    return raw.data


def _digest(content: memoryview, dtype: str, shape: list[int], about: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps([dtype, shape, sorted(about.items())]).encode())
    digest.update(content)
    return digest.hexdigest()
