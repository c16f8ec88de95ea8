"""Position embeddings to begin a training with."""

import numpy as np
from jaxtyping import Float


def initial_positions(n_pos: int, d_model: int) -> Float[np.ndarray, "pos d_model"]:
    """Sines and cosines, as large as GPT-2's random initial positions (standard deviation 0.02); trained like those.

    "The position before" is then one linear map for all positions: what is learnt on short pieces holds after them.
    """
    wavelengths = np.geomspace(1.0, n_pos, (d_model + 1) // 2)
    angles = np.arange(n_pos)[:, None] / wavelengths
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :d_model]
    return (0.02 * np.sqrt(2) * waves).astype(np.float32)
