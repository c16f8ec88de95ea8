"""Rule-based random sampling: a random half of the vocabulary without the frequent words is reported.

Source: the baseline of Zhang et al. 2024 (GlitchProber, arXiv 2408.04905, section 5). It queries nothing there; here
the budget, which every detector gets, is spent on random tokens, and whether a token was drawn is its score.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.constraints import Share, Whole
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.frequent_words import frequent_words
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class RuleRandom(Detector):
    """The baseline with its settings."""

    name = "rule_random"
    is_published = True

    share: Share = 0.5
    """Of the vocabulary that is drawn. Paper: half."""
    n_words: Whole = 1000
    """Frequent words that are taken out. Paper: frequent English words from NLTK; which and how many is unknown."""

    def reports(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> Iterator[Report]:
        """As `Detector.reports`. Queries are random, so that there is a threshold to learn."""
        rng = np.random.default_rng([seed, 2])
        words = frozenset(frequent_words()[: self.n_words])
        order = rng.permutation(view.ids)
        drawn = np.zeros(view.n)
        some = [int(i) for i in order[: int(np.ceil(self.share * view.n))]]
        drawn[view.place[[i for i in some if view.texts[i].strip().lower() not in words]]] = 1.0
        ledger = Ledger(view, open_oracle(), 0)
        shuffled = rng.permutation(view.ids).tolist()
        for budget in budgets:
            ledger.budget = budget
            ledger.query_what_fits(shuffled)
            yield ledger.report_scores(drawn)
