"""How much memory a pass needs, and how much there is."""

from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

_FLOAT32_BYTES = 4
# Activations alive at once inside a block, in multiples of [pos d_model]: residual, normed copy, the four-times wider
# hidden layer before and after its non-linearity.
_STREAMS = 12
# Of the machine's memory, so that the same machine gives the same batch size whatever else runs on it, as long as
# that much is free.
_SHARE_OF_TOTAL = 0.25
_SHARE_OF_FREE = 0.7


@dataclass(frozen=True)
class PassSizes:
    """What the memory of a pass depends on; the estimates are upper ones, for one row, weights excluded."""

    n_layers: int
    n_heads: int
    """Attention heads per block; 0 for a model without attention patterns."""
    d_model: int
    d_vocab: int
    item_bytes: int
    """Of the floating-point type the model computes in."""

    def whole_pass(self, n_pos: int) -> int:
        """Bytes of a pass that gives logits at every position and has its attention patterns read."""
        logits = n_pos * self.d_vocab * (self.item_bytes + _FLOAT32_BYTES)
        # Scores, their float32 softmax, the pattern and a reducer's copy of one layer.
        return logits + self._scores(n_pos, n_pos) + self._streams(n_pos)

    def cached_pass(self, n_pos: int, n_cached: int) -> int:
        """Bytes of a pass of `n_pos` tokens that gives the last logits and goes on for `n_cached` more."""
        n_kept = n_pos + n_cached
        # Appending copies a layer's keys and values.
        cache = (2 * self.n_layers + 4) * n_kept * self.d_model * self.item_bytes
        return cache + self._scores(n_pos, n_kept) + self._streams(n_pos) + 3 * self.d_vocab * _FLOAT32_BYTES

    def _scores(self, n_queries: int, n_keys: int) -> int:
        return 4 * self.n_heads * n_queries * n_keys * _FLOAT32_BYTES

    def _streams(self, n_pos: int) -> int:
        return _STREAMS * n_pos * self.d_model * max(self.item_bytes, _FLOAT32_BYTES)


def memory_budget(device: str) -> int:
    """Bytes that one pass may use on a device, with its weights already there."""
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(torch.device(device))
        return int(free * _SHARE_OF_FREE)

    memory = psutil.virtual_memory()
    limit, used = _container_memory()
    total, free = memory.total, memory.available
    if limit is not None and limit < total:
        total, free = limit, min(free, max(0, limit - used))
    return int(min(total * _SHARE_OF_TOTAL, free * _SHARE_OF_FREE))


def _container_memory(root: Path = Path("/sys/fs/cgroup")) -> tuple[int | None, int]:
    """Limit and use of the control group this process runs in (version 2, then 1), in bytes."""
    for limit_name, used_name in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit, used = (root / limit_name).read_text().strip(), (root / used_name).read_text().strip()
        except OSError:  # not this version, or no control group at all
            continue
        if limit.isdigit():
            return int(limit), int(used)
    return None, 0
