"""How good a detection is against a ground truth: precision, recall, F1, the ROC curve."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn import metrics


@dataclass(frozen=True)
class Confusion:
    """Counts of a prediction against the truth."""

    hits: int
    false_alarms: int
    missed: int

    @property
    def precision(self) -> float | None:
        """Share of the reported tokens that are glitch tokens; None where none was reported."""
        reported = self.hits + self.false_alarms
        return self.hits / reported if reported else None

    @property
    def recall(self) -> float | None:
        """Share of the glitch tokens that were reported; None where there is none."""
        there = self.hits + self.missed
        return self.hits / there if there else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None where there is no glitch token, 0 where none was reported."""
        if not self.hits + self.missed:
            return None
        return 2 * self.hits / (2 * self.hits + self.false_alarms + self.missed)


def confusion(predicted: Bool[np.ndarray, " token"], truth: Bool[np.ndarray, " token"]) -> Confusion:
    """Count."""
    return Confusion(int((predicted & truth).sum()), int((predicted & ~truth).sum()), int((~predicted & truth).sum()))


def roc_auc(scores: Float[np.ndarray, " token"], truth: Bool[np.ndarray, " token"]) -> float | None:
    """The chance that a glitch token scores above another token, ties counting half; None where a kind is missing."""
    return float(metrics.roc_auc_score(truth, scores)) if truth.any() and not truth.all() else None


def roc_curve(
    scores: Float[np.ndarray, " token"], truth: Bool[np.ndarray, " token"], grid: Float[np.ndarray, " point"]
) -> Float[np.ndarray, " point"]:
    """True-positive rate at each false-positive rate of `grid`, ties joined by a straight line; NaN for one kind."""
    if not truth.any() or truth.all():
        return np.full(len(grid), np.nan)
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    return np.interp(grid, false, true)
