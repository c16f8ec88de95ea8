"""A control: logistic regression on all weight indicators together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float, Int

from harness.constraints import must_be
from harness.glitch.detectors.detector import OrderedDetector
from harness.glitch.detectors.spread import spread_order
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class LogisticIndicators(OrderedDetector):
    """Queries tokens spread over the mean rank of the indicators, and learns how much each counts."""

    name = "logistic_indicators"

    c: Annotated[float, must_be("a number above 0", lambda c: c > 0)] = 1.0
    """Inverse strength of the penalty. scikit-learn's default."""

    def order(self, view: ModelView, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
        """Spread over the mean rank."""
        # Composing a config imports this module, and is to stay fast.
        from harness.glitch.detectors._features import suspicion

        return spread_order(suspicion(view), rng)

    def scores(self, view: ModelView, answers: Mapping[int, bool]) -> Float[np.ndarray, " token"]:
        """Log-odds; none while all answers are of one kind."""
        from sklearn.linear_model import LogisticRegression

        from harness.glitch.detectors._features import indicator_columns

        if len(set(answers.values())) < 2:
            return np.full(view.n, np.nan)
        values = indicator_columns(view)
        asked = view.place[np.fromiter(answers, dtype=np.int64, count=len(answers))]
        model = LogisticRegression(C=self.c, max_iter=1000).fit(values[asked], list(answers.values()))
        found: np.ndarray = model.decision_function(values)
        return found
