"""How many sequences go through a model at once."""

import gc
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import torch
from jaxtyping import Int
from torch import Tensor

from harness.errors import Rejected, RunFailed
from harness.models.loaded import LoadedModel

logger = logging.getLogger(__name__)

LARGEST = 32
_FLOAT32_BYTES = 4
# Activations alive at once inside a block, in multiples of [pos d_model]: residual, normed copy, the four-times wider
# hidden layer before and after its non-linearity.
_STREAMS = 12
# Of the machine's memory, so that the same machine gives the same batch size whatever else runs on it, as long as
# that much is free.
_SHARE_OF_TOTAL = 0.25
_SHARE_OF_FREE = 0.7

T = TypeVar("T")


def choose_batch_size(model: LoadedModel, n_pos: int, requested: int | None = None) -> int:
    """Sequences of `n_pos` tokens per pass: the requested number, else a power of two up to 32 that fits in memory.

    Without a request the answer depends on the model, `n_pos` and the machine's total memory, and on its free
    memory only where that is scarce. Raises `Rejected` for a request below 1.
    """
    if requested is not None:
        if requested < 1:
            raise Rejected.key("batch_size", requested, "1 or more")
        return requested
    budget = memory_budget(model.device)
    per_sequence = bytes_per_sequence(model, n_pos)
    size = LARGEST
    while size > 1 and size * per_sequence > budget:
        size //= 2
    if per_sequence > budget:
        logger.warning(
            "one sequence of %d tokens needs about %d MB; %d MB are at hand", n_pos, per_sequence >> 20, budget >> 20
        )
    return size


def bytes_per_sequence(model: LoadedModel, n_pos: int) -> int:
    """An upper estimate of the memory one sequence needs during a pass, weights excluded."""
    structure = model.structure
    item = torch.empty((), dtype=model.dtype).element_size()
    logits = n_pos * structure.d_vocab * (item + _FLOAT32_BYTES)
    # Scores, their float32 softmax, the pattern and a reducer's copy of one layer.
    patterns = 4 * structure.n_heads * n_pos**2 * _FLOAT32_BYTES if structure.has_attention_patterns else 0
    streams = _STREAMS * n_pos * structure.d_model * max(item, _FLOAT32_BYTES)
    return logits + patterns + streams


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


def halve_on_oom(
    compute: Callable[[Int[Tensor, "_ pos"]], T], tokens: Int[Tensor, "batch pos"], batch_size: int
) -> list[T]:
    """`compute` over the rows of `tokens`, `batch_size` at a time; on CUDA out-of-memory half as many, down to one.

    What was computed before is kept, in the order of the rows. Raises `RunFailed` where one sequence does not fit.
    """
    results: list[T] = []
    start = 0
    while start < len(tokens):
        rows = tokens[start : start + batch_size]
        try:
            results.append(compute(rows))
        except torch.OutOfMemoryError as error:
            if len(rows) == 1:
                raise RunFailed(
                    f"out of GPU memory with a single sequence of {tokens.shape[1]} tokens: shorten the sequences, or "
                    "use a smaller model, model.dtype=bfloat16 or model.device=cpu"
                ) from error
        else:
            start += len(rows)
            continue
        # Outside the handler: the exception's traceback holds the tensors of the failed pass.
        batch_size = len(rows) // 2
        logger.warning("out of GPU memory with %d sequences: going on with %d", len(rows), batch_size)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return results


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
