"""How a GGUF file stretches its rotary positions, which transformers leaves out when it reads one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from harness.models._gguf_header import GgufHeader
from harness.models.gguf_facts import GgufUnreadable

_FACTORS = "rope_freqs.weight"
# What Llama 3.1 and later fix beside the factor itself.
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
# transformers reads these architectures' scaling itself.
_READ_BY_TRANSFORMERS = frozenset({"gpt-oss", "gpt_oss"})


def stretched_rope(header: GgufHeader, rope: Mapping[str, Any]) -> dict[str, Any] | None:
    """`rope_parameters` for config.json with the file's own stretching; None where it has none.

    `rope` are those that transformers read. Raises `GgufUnreadable` for a way that cannot be carried over.
    """
    if header.architecture in _READ_BY_TRANSFORMERS:
        return None
    if _FACTORS in header.by_name:
        found = _llama3(header.read_floats(_FACTORS), float(rope.get("rope_theta") or 10_000.0))
        if found is None:
            raise GgufUnreadable("its rotary positions are stretched (rope_freqs) in a way that transformers has not")
        return {**rope, **found}
    if any(name.startswith("rope_factors_") for name in header.by_name):
        raise GgufUnreadable(
            "its rotary positions are stretched by factors per length, which transformers does not read"
        )
    way = header.of_model("rope.scaling.type")
    factor = header.of_model("rope.scaling.factor") or header.of_model("rope.scale_linear") or 1.0
    if way == "none" or (way is None and factor == 1.0):
        return None
    if way not in (None, "linear") or "rope_type" not in rope:
        raise GgufUnreadable(
            f"its rotary positions are stretched ({way or 'linear'}) in a way that transformers does not read"
        )
    return {**rope, "rope_type": "linear", "factor": float(factor)}


def llama3_factors(n: int, theta: float, factor: float) -> Float[np.ndarray, " n"]:
    """By how much each of `n` wavelengths is stretched where a factor is given, as Llama 3.1 does it."""
    wavelengths = 2 * np.pi * theta ** (np.arange(n) / n)
    low, high = _LLAMA3["low_freq_factor"], _LLAMA3["high_freq_factor"]
    turns = _LLAMA3["original_max_position_embeddings"] / wavelengths
    share = (turns - low) / (high - low)
    between = 1 / ((1 - share) / factor + share)
    return np.where(turns > high, 1.0, np.where(turns < low, factor, between))


def _llama3(factors: Float[np.ndarray, " n"], theta: float) -> dict[str, Any] | None:
    factor = float(factors.max())
    if not np.allclose(factors, llama3_factors(len(factors), theta, factor), rtol=1e-3):
        return None
    return {"rope_type": "llama3", "factor": factor, **_LLAMA3}
