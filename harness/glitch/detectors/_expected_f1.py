"""Where to draw the line between reported tokens and others, from beliefs alone."""

import numpy as np
from jaxtyping import Float


def best_cut(probability: Float[np.ndarray, " open"], n_known: int) -> tuple[float, float]:
    """The cut on P(glitch) with the highest expected F1, and that F1.

    `probability` of the tokens without a verdict, `n_known` glitch tokens among those with one. Reporting the k
    likeliest gives 2 E[hits] / (reported + E[glitch tokens]).
    """
    ordered = np.sort(probability)[::-1]
    hits = n_known + np.concatenate([[0.0], np.cumsum(ordered)])
    reported = n_known + np.arange(len(ordered) + 1)
    expected = 2 * hits / np.maximum(reported + n_known + ordered.sum(), 1e-12)
    k = int(expected.argmax())
    if k == 0:
        return 1.0, float(expected[0])
    below = ordered[k] if k < len(ordered) else 0.0
    return float((ordered[k - 1] + below) / 2), float(expected[k])
