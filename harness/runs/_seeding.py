"""Global generators are seeded once per run, so that a library that draws from them is repeatable too."""

import random
import sys

import numpy as np


def seed_everything(seed: int) -> None:
    """Seed random, numpy, and torch where it is loaded; our own draws use generators of their own."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code draws from the global generator
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
