"""From scores and bought verdicts to what is said of the whole vocabulary: one rule for every detector.

A detector's own score is turned into P(glitch) by isotonic regression (Zadrozny & Elkan 2002) on the tokens it queried
itself; reported are the tokens that failed and those not queried above the cut that promises the highest F1.
"""

import numpy as np
from jaxtyping import Bool, Float, Int


def calibrated(
    scores: Float[np.ndarray, " token"], asked: Int[np.ndarray, " asked"], fails: Bool[np.ndarray, " asked"]
) -> Float[np.ndarray, " token"]:
    """P(glitch) of every token from `scores`, high for glitch tokens; `asked` are places in it.

    A token without a score (NaN), or with a lower one than any that was queried, gets 0: nothing was learnt of such
    tokens. Where all answers are of one kind there is no line to draw, and every token gets 0: only what was queried
    and failed is reported then.
    """
    # Composing a config imports this module, and is to stay fast.
    from sklearn.isotonic import IsotonicRegression

    known = np.isfinite(scores[asked])
    labels = fails[known]
    if not len(labels) or labels.all() or not labels.any():
        return np.zeros(len(scores))
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores[asked][known], labels)
    found = np.zeros(len(scores))
    has_score = np.isfinite(scores) & (scores >= scores[asked][known].min())
    found[has_score] = model.predict(scores[has_score])
    return found


def best_cut(probability: Float[np.ndarray, " open"], n_known: int) -> tuple[float, float]:
    """The cut on P(glitch) with the highest expected F1, and that F1. What lies above it is reported.

    `probability` of the tokens without a verdict, `n_known` glitch tokens among those with one. Reporting the k
    likeliest gives 2 E[hits] / (reported + E[glitch tokens]); equally likely ones are reported together.
    """
    ordered = np.sort(probability)[::-1]
    hits = n_known + np.concatenate([[0.0], np.cumsum(ordered)])
    reported = n_known + np.arange(len(ordered) + 1)
    expected = 2 * hits / np.maximum(reported + n_known + ordered.sum(), 1e-12)
    ends = np.concatenate([[True], ordered[:-1] > ordered[1:], [True]]) if len(ordered) else np.array([True])
    k = int(np.where(ends, expected, -1.0).argmax())
    if k == 0:
        return 1.0, float(expected[0])
    below = ordered[k] if k < len(ordered) else 0.0
    return float((ordered[k - 1] + below) / 2), float(expected[k])


def predict(
    probability: Float[np.ndarray, " token"], asked: Int[np.ndarray, " asked"], fails: Bool[np.ndarray, " asked"]
) -> Bool[np.ndarray, " token"]:
    """Which tokens are reported: those that failed, and those not queried that lie above the best cut."""
    is_open = np.ones(len(probability), dtype=bool)
    is_open[asked] = False
    cut, _ = best_cut(probability[is_open], int(fails.sum()))
    found = is_open & (probability > cut)
    found[asked[fails]] = True
    return found
