"""How many prompts go through a model at once."""

import math

from harness.errors import Rejected
from harness.models.answers.causal_model import CausalModel
from harness.models.batch_size import memory_budget

# Beyond this many positions a pass is no faster, and its activations leave the processor's caches.
_POSITIONS = {"cpu": 8_192, "cuda": 131_072, "mps": 32_768}
_MOST_ROWS = 1_024
_FLOAT32_BYTES = 4
# As in harness.models.batch_size: residual, normed copy, the wide hidden layer before and after its non-linearity.
_STREAMS = 12


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
    d_model = int(model.unembedding().shape[1])
    n_layers = int(getattr(config, "num_hidden_layers", 32))
    n_heads = int(getattr(config, "num_attention_heads", 0) or 0)
    item = model.unembedding().element_size()
    # Appending copies a layer's keys and values.
    cache = 2 * n_layers * (n_pos + n_cached) * d_model * item + 4 * (n_pos + n_cached) * d_model * item
    scores = 4 * n_heads * n_pos * (n_pos + n_cached) * _FLOAT32_BYTES
    streams = _STREAMS * n_pos * d_model * max(item, _FLOAT32_BYTES)
    logits = 3 * model.d_vocab * _FLOAT32_BYTES
    return cache + scores + streams + logits
