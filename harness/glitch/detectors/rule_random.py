"""Rule-based random sampling: a random half of the vocabulary without the frequent words is reported.

Source: the baseline of Zhang et al. 2024 (GlitchProber, arXiv 2408.04905, section 5). It queries nothing there;
here the budget, which every detector gets, is spent on verdicts on reported tokens, and those that pass are taken back.
"""

from dataclasses import dataclass

import numpy as np

from harness.constraints import Share, Whole
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.frequent_words import frequent_words
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class RuleRandom(Detector):
    """The baseline with its settings."""

    name = "rule_random"

    share: Share = 0.5
    """Of the vocabulary that is drawn. Paper: half."""
    n_words: Whole = 1000
    """Frequent words that are taken out. Paper: frequent English words from NLTK; which and how many is unknown."""

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """As `Detector.detect`."""
        ledger = Ledger(view, oracle, budget)
        rng = np.random.default_rng([seed, 2])
        words = frozenset(frequent_words()[: self.n_words])
        drawn = rng.permutation(view.ids)[: int(np.ceil(self.share * view.n))]
        reported = [int(i) for i in drawn if view.texts[i].strip().lower() not in words]
        ledger.query_what_fits(reported[: ledger.tokens_left])
        kept = [i for i in reported if ledger.answers.get(i, True)]
        scores = np.zeros(view.n)
        scores[view.place[reported]] = 1.0
        return ledger.result(scores, kept)
