"""GlitchHunter (Li et al., FSE 2024) as one detector among others; `hunt.py` beside this file is the method itself."""

from dataclasses import dataclass, replace

import numpy as np

from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class GlitchHunter(GlitchHunterSettings, Detector):
    """Hunts among the tokens of the view; a token's score is the number of graphs it stayed in."""

    name = "glitchhunter"
    remark = "a hunt of glitchhunter ends where the budget does"

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """As `Detector.detect`."""
        # Composing a config imports this module, and is to stay fast.
        from harness.glitch.detectors.glitchhunter.hunt import Iteration, hunt

        ledger = Ledger(view, oracle, budget)
        stayed = np.zeros(view.n)

        def follow(iteration: Iteration) -> None:
            stayed[view.place[iteration.kept]] += 1

        settings = replace(self, k=min(self.k, view.n - 1))
        hunt(view.embedding[view.ids].astype(np.float32), view.ids.tolist(), ledger, settings, seed, follow)
        return ledger.result(stayed)
