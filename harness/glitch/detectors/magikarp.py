"""Magikarp's ranking: query in ascending order of the main indicator.

Source: Land & Bartolo 2024, arXiv 2405.05417: the cosine distance to known unused tokens' mean unembedding row for tied
models, the norm of the input row for untied ones. Where a tied model has no known unused ids the paper has no
indicator; here the norm of the row stands in.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView
from harness.glitch.indicators import Indicator, main_indicator, weight_indicators


@dataclass(frozen=True)
class MagikarpRanking(Detector):
    """Asks tokens by ascending indicator until the budget is spent, and reports those that fail."""

    name = "magikarp"
    is_random = False

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:  # noqa: ARG002
        """As `Detector.detect`; nothing here is random."""
        ledger = Ledger(view, oracle, budget)
        values = main_values(view)[view.ids]
        ledger.query_what_fits(view.ids[np.argsort(values, kind="stable")][: ledger.tokens_left].tolist())
        return ledger.result(-values)


def main_values(view: ModelView) -> Float[np.ndarray, " d_vocab"]:
    """The main indicator of every id, low for under-trained tokens."""
    indicators = all_indicators(view)
    main = main_indicator(view.is_tied)
    return indicators[main] if main in indicators else next(iter(indicators.values()))


def all_indicators(view: ModelView) -> dict[Indicator, Float[np.ndarray, " d_vocab"]]:
    """Every indicator this model has; the norm of the row alone for a tied model without known unused ids."""
    if view.is_tied and not view.unused_ids:
        return {Indicator.INPUT_NORM: np.linalg.norm(view.embedding.astype(np.float64), axis=1)}
    return weight_indicators(view.unembedding, view.unused_ids, None if view.is_tied else view.embedding)
