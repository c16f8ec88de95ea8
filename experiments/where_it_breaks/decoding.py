"""Whether the final state still knows which token must be copied, whatever its row of the unembedding makes of it.

What the first half adds to the state that predicts a token is compared, over appearances in other company after other
cues, with what it adds for every other token of the pool: nearest mean of the other appearances by cosine, all centred.
Where that finds the token, it was read and moved, and what fails is writing.
"""

import numpy as np
from jaxtyping import Float


def decode(
    states: Float[np.ndarray, "appearance token d_model"],
) -> tuple[Float[np.ndarray, " token"], Float[np.ndarray, " token"]]:
    """For each token the share of appearances whose nearest mean is its own, and the share of other tokens' means that
    are farther than its own (chance: 1 / tokens and 0.5).

    Raises `ValueError` for fewer than two appearances or tokens.
    """
    n, n_tokens, _ = states.shape
    if n < 2 or n_tokens < 2:
        raise ValueError(f"{n} appearances of {n_tokens} tokens")
    states = states.astype(np.float64)
    nearest, farther = np.zeros(n_tokens), np.zeros(n_tokens)
    for held_out in range(n):
        means = np.delete(states, held_out, axis=0).mean(axis=0)
        centre = means.mean(axis=0)
        cosines = _unit(states[held_out] - centre) @ _unit(means - centre).T
        own = np.diagonal(cosines)[:, None]
        others = ~np.eye(n_tokens, dtype=bool)
        # As far counts half: states that are all equal tell nothing.
        beaten = np.where(cosines < own, 1.0, np.where(cosines == own, 0.5, 0.0))
        farther += (beaten * others).sum(axis=1) / (n_tokens - 1)
        nearest += ((cosines < own) | ~others).all(axis=1)
    return nearest / n, farther / n


def _unit(rows: Float[np.ndarray, "token d_model"]) -> Float[np.ndarray, "token d_model"]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    found: np.ndarray = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return found
