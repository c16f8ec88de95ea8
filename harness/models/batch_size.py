"""How many sequences go through a model at once."""

import gc
import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from harness.errors import Rejected, RunFailed
from harness.models._memory import PassSizes, memory_budget
from harness.models.loaded import LoadedModel

logger = logging.getLogger(__name__)

LARGEST = 32

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
    sizes = PassSizes(
        structure.n_layers,
        structure.n_heads if structure.has_attention_patterns else 0,
        structure.d_model,
        structure.d_vocab,
        torch.empty((), dtype=model.dtype).element_size(),
    )
    return sizes.whole_pass(n_pos)


def halve_on_oom(compute: Callable[[slice], T], n_rows: int, n_pos: int, batch_size: int) -> list[T]:
    """`compute` over slices of `n_rows` sequences, `batch_size` at a time; on CUDA out-of-memory half as many.

    What was computed before is kept, in the order of the rows. Raises `RunFailed` where one sequence (of `n_pos`
    tokens) does not fit.
    """
    results: list[T] = []
    start = 0
    while start < n_rows:
        rows = slice(start, min(start + batch_size, n_rows))
        n = rows.stop - rows.start
        try:
            results.append(compute(rows))
        except torch.OutOfMemoryError as error:
            if n == 1:
                raise RunFailed(
                    f"out of GPU memory with a single sequence of {n_pos} tokens: shorten the sequences, or "
                    "use a smaller model, model.dtype=bfloat16 or model.device=cpu"
                ) from error
        else:
            start += n
            continue
        # Outside the handler: the exception's traceback holds the tensors of the failed pass.
        batch_size = n // 2
        logger.warning("out of GPU memory with %d sequences: going on with %d", n, batch_size)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return results
