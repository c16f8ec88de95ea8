"""Magikarp's ranking: query in ascending order of the main indicator.

Source: Land & Bartolo 2024, arXiv 2405.05417: the cosine distance to known unused tokens' mean unembedding row for tied
models, the norm of the input row for untied ones. Where a tied model has no known unused ids the paper has no
indicator; here the norm of the row stands in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from harness.glitch.detectors.detector import OrderedDetector
from harness.glitch.detectors.view import ModelView
from harness.glitch.indicators import Indicator, main_indicator, weight_indicators


@dataclass(frozen=True)
class MagikarpRanking(OrderedDetector):
    """Queries tokens by ascending indicator, the score turned round."""

    name = "magikarp"
    is_published = True
    is_random = False

    def order(self, view: ModelView, rng: np.random.Generator) -> Int[np.ndarray, " some"]:  # noqa: ARG002
        """The most suspicious first."""
        return np.argsort(main_values(view)[view.ids], kind="stable")

    def scores(self, view: ModelView, answers: Mapping[int, bool]) -> Float[np.ndarray, " token"]:  # noqa: ARG002
        """High for a low indicator."""
        return -main_values(view)[view.ids]


def main_values(view: ModelView) -> Float[np.ndarray, " d_vocab"]:
    """The main indicator of every id, low for under-trained tokens."""
    indicators = all_indicators(view)
    main = main_indicator(view.is_tied)
    return indicators[main] if main in indicators else next(iter(indicators.values()))


@lru_cache(maxsize=2)
def all_indicators(view: ModelView) -> Mapping[Indicator, Float[np.ndarray, " d_vocab"]]:
    """Every indicator this model has; the norm of the row alone for a tied model without known unused ids."""
    if view.is_tied and not view.unused_ids:
        return {Indicator.INPUT_NORM: np.linalg.norm(view.embedding.astype(np.float64), axis=1)}
    return weight_indicators(view.unembedding, view.unused_ids, None if view.is_tied else view.embedding)
