"""The header of a GGUF file: what it says of its model, and where its tensors lie.

Read here rather than by a library, which takes what is missing at the end of a file for empty and says so nowhere.
Format: the `gguf` page of ggml's documentation; versions 2 and 3, little-endian.
"""

import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGMLQuantizationType
from gguf.quants import dequantize
from jaxtyping import Float32

from harness.models.gguf_facts import GgufUnreadable

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# Metadata value types as the format numbers them, with the code that struct knows them by.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of the file."""

    name: str
    shape: tuple[int, ...]
    """In the order of PyTorch: rows first."""
    type: GGMLQuantizationType
    start: int
    """First byte, from the beginning of the file."""
    n_bytes: int

    @property
    def n_elements(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def kind(self) -> str:
        """Its name without the number of its block: `attn_q`, `attn_q.bias`, `token_embd`."""
        return re.sub(r"^blk\.\d+\.", "", self.name).removesuffix(".weight")


@dataclass(frozen=True)
class GgufHeader:
    """Everything before the tensors' data."""

    path: Path
    metadata: Mapping[str, Any]
    """Keys as the file spells them; arrays as lists."""
    tensors: tuple[TensorEntry, ...]

    @property
    def architecture(self) -> str:
        """As the file calls it, e.g. `llama`."""
        return str(self.metadata["general.architecture"])

    @cached_property
    def by_name(self) -> Mapping[str, TensorEntry]:
        """The tensors by their names."""
        return {tensor.name: tensor for tensor in self.tensors}

    def of_model(self, key: str) -> Any:
        """What the file says of its model below its architecture's name; None where it says nothing."""
        return self.metadata.get(f"{self.architecture}.{key}")

    def tensor_types(self) -> dict[str, dict[str, int]]:
        """How many tensors of each kind are held in which type, in alphabetical order."""
        found: dict[str, dict[str, int]] = {}
        for tensor in sorted(self.tensors, key=lambda tensor: (tensor.kind, tensor.type.name)):
            of_kind = found.setdefault(tensor.kind, {})
            of_kind[tensor.type.name] = of_kind.get(tensor.type.name, 0) + 1
        return found

    def read_floats(self, name: str) -> Float32[np.ndarray, " n"]:
        """The numbers of a tensor held as F32, in one row."""
        tensor = self.by_name[name]
        if tensor.type is not GGMLQuantizationType.F32:
            raise GgufUnreadable(f"its {name} is held as {tensor.type.name}, where F32 is expected")
        with self.path.open("rb") as file:
            file.seek(tensor.start)
            return np.frombuffer(file.read(tensor.n_bytes), dtype="<f4").astype(np.float32)


def read_header(path: Path) -> GgufHeader:
    """Read a file's header, and check that the file is as long as its tensors need.

    Raises `GgufUnreadable` for a file that is no GGUF, damaged, truncated, one part of several, or without weights, and
    for types of tensors that nothing here can turn into numbers; OSError where it cannot be opened.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise GgufUnreadable("it is no GGUF file (its first four bytes are not 'GGUF')")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                header = _parse(path, _Cursor(content, len(MAGIC), size))
            except UnicodeDecodeError as error:
                raise GgufUnreadable("it is damaged: a name or text in its header is no UTF-8") from error
    _require_one_file(header)
    _require_weights(header)
    end = max(tensor.start + tensor.n_bytes for tensor in header.tensors)
    if end > size:
        raise GgufUnreadable(f"it is truncated: its tensors end at byte {end:,}, the file at {size:,}; fetch it again")
    _require_known_types(header)
    return header


class _Cursor:
    """Reads one value after the other, and refuses to read beyond the end."""

    def __init__(self, content: mmap.mmap, position: int, size: int) -> None:
        self._content, self.position, self._size = content, position, size

    def number(self, code: str) -> Any:
        return self.numbers(code, 1)[0]

    def numbers(self, code: str, count: int) -> tuple[Any, ...]:
        n_bytes = struct.calcsize(f"<{code}") * count
        self._require(n_bytes)
        values = struct.unpack_from(f"<{count}{code}", self._content, self.position)
        self.position += n_bytes
        return values

    def text(self) -> str:
        length = self.number("Q")
        self._require(length)
        start, self.position = self.position, self.position + length
        return self._content[start : self.position].decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise GgufUnreadable(f"it is damaged: its header holds a value of type {kind}, which the format has not")
        of, count = self.number("I"), self.number("Q")
        if of in _NUMBERS:
            return list(self.numbers(_NUMBERS[of], count))
        return [self.value(of) for _ in range(count)]

    def _require(self, n_bytes: int) -> None:
        if n_bytes > self._size - self.position:
            raise GgufUnreadable(
                f"it is truncated or damaged: its header wants {n_bytes:,} bytes at {self.position:,}, the file has "
                f"{self._size:,}; fetch it again"
            )


def _parse(path: Path, cursor: _Cursor) -> GgufHeader:
    version = cursor.number("I")
    if version not in _VERSIONS:
        big_endian = int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS
        which = "it is big-endian" if big_endian else f"it is of version {version} of the format"
        raise GgufUnreadable(f"{which}, where little-endian versions 2 and 3 are read")
    n_tensors, n_values = cursor.number("Q"), cursor.number("Q")
    metadata: dict[str, Any] = {}
    for _ in range(n_values):
        key = cursor.text()
        metadata[key] = cursor.value(cursor.number("I"))
    if not isinstance(metadata.get("general.architecture"), str):
        raise GgufUnreadable("it is damaged: it names no architecture (general.architecture)")
    entries = [_tensor_entry(cursor) for _ in range(n_tensors)]
    alignment = metadata.get("general.alignment", GGUF_DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise GgufUnreadable(f"it is damaged: its alignment is {alignment!r}")
    start = -(-cursor.position // alignment) * alignment
    tensors = tuple(TensorEntry(name, shape, kind, start + at, size) for name, shape, kind, at, size in entries)
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise GgufUnreadable("it is damaged: two of its tensors have one name")
    return GgufHeader(path, metadata, tensors)


def _tensor_entry(cursor: _Cursor) -> tuple[str, tuple[int, ...], GGMLQuantizationType, int, int]:
    name, n_dimensions = cursor.text(), cursor.number("I")
    if n_dimensions > _MOST_DIMENSIONS:
        raise GgufUnreadable(f"it is damaged: its tensor {name!r} has {n_dimensions:,} dimensions")
    # The format counts the fastest-moving dimension first.
    shape = tuple(reversed(cursor.numbers("Q", n_dimensions)))
    number, offset = cursor.number("I"), cursor.number("Q")
    try:
        kind = GGMLQuantizationType(number)
    except ValueError as error:
        raise GgufUnreadable(
            f"its tensor {name!r} is of type {number}, which the gguf package does not know"
        ) from error
    per_block, block_bytes = GGML_QUANT_SIZES[kind]
    if not shape or shape[-1] % per_block:
        raise GgufUnreadable(f"it is damaged: its tensor {name!r} of shape {shape} cannot be {kind.name}")
    return name, shape, kind, offset, prod(shape) // per_block * block_bytes


def _require_one_file(header: GgufHeader) -> None:
    parts = header.metadata.get("split.count", 0)
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", header.path.name, re.IGNORECASE) or (isinstance(parts, int) and parts > 1):
        raise GgufUnreadable(
            "it is one part of a model split over several files; put them together first, with llama.cpp's "
            "`llama-gguf-split --merge <first part> <whole file>`"
        )


def _require_weights(header: GgufHeader) -> None:
    kind = header.metadata.get("general.type", "model")
    if kind != "model":
        raise GgufUnreadable(f"it holds no language model (general.type is {kind!r})")
    if not header.tensors:
        raise GgufUnreadable("it holds no weights")


def _require_known_types(header: GgufHeader) -> None:
    unknown = sorted({tensor.type for tensor in header.tensors if not _is_known(tensor.type)})
    if unknown:
        names = ", ".join(kind.name for kind in unknown)
        raise GgufUnreadable(f"its tensors are of type {names}, which the gguf package cannot turn into numbers")


def _is_known(kind: GGMLQuantizationType) -> bool:
    block = np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8)
    if kind in (GGMLQuantizationType.F32, GGMLQuantizationType.F16):
        return True
    try:
        dequantize(block, kind)
    except NotImplementedError:
        return False
    return True
