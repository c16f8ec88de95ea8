"""How many prompts go through a model at once."""

import math

from harness.errors import Rejected
from harness.models._memory import PassSizes, memory_budget
from harness.models.answers.causal_model import CausalModel

# Beyond this many positions a pass is no faster, and its activations leave the processor's caches.
_POSITIONS = {"cpu": 8_192, "cuda": 131_072, "mps": 32_768}
_MOST_ROWS = 1_024


def rows_per_pass(
    model: CausalModel, n_pos: int, n_cached: int, requested: int | None = None, copies: float = 1.0
) -> int:
    """Prompts per pass: `n_pos` tokens each are read at once, and `n_cached` more end up in the cache.

    `copies`: how often each different prompt occurs; it is read once for all of them.
    The requested number, else as many as are worth it and fit in memory. Raises `Rejected` for a request below 1.
    """
    if requested is not None:
        if requested < 1:
            raise Rejected.key("batch_size", requested, "1 or more")
        return requested
    fits = memory_budget(model.device) // bytes_per_row(model, n_pos, n_cached)
    worth = math.ceil(copies * _POSITIONS.get(model.device.split(":")[0], 8_192) / n_pos)
    return max(1, min(fits, worth, _MOST_ROWS))


def bytes_per_row(model: CausalModel, n_pos: int, n_cached: int) -> int:
    """An upper estimate of the memory one prompt needs, weights excluded."""
    config = model.backend.config.get_text_config()
    unembedding = model.unembedding()
    sizes = PassSizes(
        int(getattr(config, "num_hidden_layers", 32)),
        int(getattr(config, "num_attention_heads", 0) or 0),
        int(unembedding.shape[1]),
        model.d_vocab,
        unembedding.element_size(),
    )
    return sizes.cached_pass(n_pos, n_cached)
