"""Which model and which tokenizer, as a config states them."""

from dataclasses import dataclass
from enum import Enum

from harness.errors import Rejected


class DType(Enum):
    """Floating-point type a model computes in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True)
class ModelConfig:
    """Which model, and how it is booted."""

    name: str = "pocket"
    """`pocket`, a hub name, or a local folder of weights."""
    revision: str | None = None
    """Branch, tag or commit of a hub model."""
    dtype: DType = DType.FLOAT32
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    device_map: str | None = None
    """Spread over several devices (`auto`, `balanced`); contradicts `device`."""
    n_ctx: int | None = None
    """Use at most this much of the context window."""
    compatibility_mode: bool = False
    """TransformerLens' folded weights (LayerNorm folded, writing weights centred) instead of the raw ones."""
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise Rejected.key("model.name", self.name, "a hub name or a local folder")
        if self.n_ctx is not None and self.n_ctx < 2:
            raise Rejected.key("model.n_ctx", self.n_ctx, "2 or more")
        if self.device_map is not None and self.device != "auto":
            both = f"model.device={self.device} and model.device_map={self.device_map}"
            raise Rejected(f"{both} contradict each other: give one of them")
        known = ("auto", "cpu", "cuda", "mps")
        if self.device not in known and not (self.device.startswith("cuda:") and self.device[5:].isdigit()):
            raise Rejected.key("model.device", self.device, "auto, cpu, cuda, cuda:<number>, mps")


@dataclass(frozen=True)
class TokenizerConfig:
    """Which tokenizer, where it is not the model's own."""

    name: str | None = None
    """A hub name or local folder; default: the model's own."""
