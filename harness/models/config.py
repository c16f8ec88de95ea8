"""Which model and which tokenizer, as a config states them."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from harness.constraints import must_be
from harness.errors import FieldRejected


class DType(Enum):
    """Floating-point type a model computes in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def _is_device(name: str) -> bool:
    return name in ("auto", "cpu", "cuda", "mps") or (name.startswith("cuda:") and name[5:].isdigit())


@dataclass(frozen=True)
class ModelConfig:
    """Which model, and how it is booted."""

    name: Annotated[str, must_be("a hub name, a local folder or a GGUF file", bool)] = "pocket"
    """`pocket`, a hub name, a local folder of weights, or a GGUF file."""
    revision: str | None = None
    """Branch, tag or commit of a hub model."""
    dtype: DType = DType.FLOAT32
    device: Annotated[str, must_be("auto, cpu, cuda, cuda:<number>, mps", _is_device)] = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    device_map: str | None = None
    """Spread over several devices (`auto`, `balanced`); contradicts `device`."""
    n_ctx: Annotated[int, must_be("2 or more", lambda n: n >= 2)] | None = None
    """Use at most this much of the context window."""
    compatibility_mode: bool = False
    """TransformerLens' folded weights (LayerNorm folded, writing weights centred) instead of the raw ones."""
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if self.device_map is not None and self.device != "auto":
            both = f"device={self.device} and ", f"device_map={self.device_map} contradict each other: give one of them"
            raise FieldRejected(*both)


@dataclass(frozen=True)
class TokenizerConfig:
    """Which tokenizer, where it is not the model's own."""

    name: str | None = None
    """A hub name, local folder or GGUF file; default: the model's own."""
