"""Controls: one weight indicator each, with a threshold learnt from queries spread over its ranks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from harness.glitch.detectors.detector import OrderedDetector
from harness.glitch.detectors.magikarp import all_indicators
from harness.glitch.detectors.spread import spread_order
from harness.glitch.detectors.view import ModelView
from harness.glitch.indicators import Indicator


@dataclass(frozen=True)
class IndicatorThreshold(OrderedDetector):
    """Low values of `indicator` are suspicious, from a threshold on that verdicts decide."""

    indicator: ClassVar[Indicator]

    def obstacle(self, view: ModelView) -> str | None:
        """Some indicators need ids known to be unused, one an untied model."""
        return None if self.indicator in all_indicators(view) else "the model has no such indicator"

    def order(self, view: ModelView, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
        """Spread over the ranks."""
        return spread_order(self.scores(view, {}), rng)

    def scores(self, view: ModelView, answers: Mapping[int, bool]) -> Float[np.ndarray, " token"]:  # noqa: ARG002
        """High for a low indicator."""
        return -all_indicators(view)[self.indicator][view.ids]


class InputNormThreshold(IndicatorThreshold):
    """By the norm of the input row."""

    name = "input_norm"
    indicator = Indicator.INPUT_NORM


class CosineThreshold(IndicatorThreshold):
    """By the cosine distance to unused rows."""

    name = "cosine"
    indicator = Indicator.COSINE


class CentredCosineThreshold(IndicatorThreshold):
    """By the same of centred rows."""

    name = "centred_cosine"
    indicator = Indicator.CENTRED_COSINE


class CosineWithoutFirstPcThreshold(IndicatorThreshold):
    """By the same without the first principal direction."""

    name = "cosine_without_first_pc"
    indicator = Indicator.COSINE_WITHOUT_FIRST_PC


class L2Threshold(IndicatorThreshold):
    """By the Euclidean distance to unused rows."""

    name = "l2"
    indicator = Indicator.L2


INDICATOR_THRESHOLDS = (
    InputNormThreshold,
    CosineThreshold,
    CentredCosineThreshold,
    CosineWithoutFirstPcThreshold,
    L2Threshold,
)
