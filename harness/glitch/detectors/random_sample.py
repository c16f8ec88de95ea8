"""The baseline: query tokens drawn at random."""

from dataclasses import dataclass

import numpy as np

from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class RandomSample(Detector):
    """Asks random tokens until the budget is spent, and reports those that fail."""

    name = "random"

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """As `Detector.detect`."""
        ledger = Ledger(view, oracle, budget)
        rng = np.random.default_rng([seed, 1])
        ledger.query_what_fits(rng.permutation(view.ids)[: ledger.tokens_left].tolist())
        return ledger.result(rng.random(view.n))
