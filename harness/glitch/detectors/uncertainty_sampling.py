"""A control: active learning that never sees a weight, only what the tokenizer says of a token.

Source: uncertainty sampling, Lewis & Gale 1994: what is queried next is what the classifier is least sure of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float

from harness.constraints import Count, must_be
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class UncertaintySampling(Detector):
    """Logistic regression on merge rank, length, kind of letters and the like; queries nearest to its boundary."""

    name = "uncertainty_sampling"

    n_first: Count = 8
    """Random tokens before anything is learnt."""
    growth: Annotated[float, must_be("above 0", lambda share: share > 0)] = 0.1
    """Each round queries this share of what was queried before."""

    def reports(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> Iterator[Report]:
        """As `Detector.reports`."""
        rng = np.random.default_rng([seed, 3])
        ledger = Ledger(view, open_oracle(), 0)
        random_order = rng.permutation(view.n)
        for budget in budgets:
            ledger.budget = budget
            while ledger.n_affordable > 0:
                scores = self._scores(view, ledger)
                is_open = np.ones(view.n, dtype=bool)
                is_open[ledger.asked] = False
                n = max(1, int(self.growth * ledger.n_queries)) if ledger.n_queries >= self.n_first else self.n_first
                # Without a boundary yet, at random.
                order = random_order if np.isnan(scores).all() else np.argsort(np.abs(scores), kind="stable")
                ledger.query_what_fits(view.ids[order[is_open[order]][: min(n, ledger.n_affordable)]].tolist())
            yield ledger.report_scores(self._scores(view, ledger))

    def _scores(self, view: ModelView, ledger: Ledger) -> Float[np.ndarray, " token"]:
        # Composing a config imports this module, and is to stay fast.
        from sklearn.linear_model import LogisticRegression

        from harness.glitch.detectors._features import text_columns

        if len(set(ledger.answers.values())) < 2:
            return np.full(view.n, np.nan)
        values = text_columns(view)
        model = LogisticRegression(max_iter=1000).fit(values[ledger.asked], list(ledger.answers.values()))
        found: np.ndarray = model.decision_function(values)
        return found
