"""What a detector says once a budget is spent."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Report:
    """One detector's answer on one model for one budget."""

    asked: Int[np.ndarray, " asked"]
    """Tokens that were queried, in that order."""
    fails: Bool[np.ndarray, " asked"]
    """What came of each query."""
    probability: Float[np.ndarray, " token"]
    """P(glitch) of every token of the view that was not queried; 1 or 0 for those that were."""
    predicted: Int[np.ndarray, " predicted"]
    """Ids reported as glitch tokens, queried or not, ascending."""
    spent: int
    """Token positions that went through the model for all of it."""
    spent_on_passes: int
    """Those among `spent` that gave no verdict of the oracle."""
