"""Indicators of every token from the weights, and how the candidates were verified."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.glitch.indicators import Indicator, ReferenceCheck, UnusedIds
from harness.models.answers.magikarp import VERIFIED_BELOW
from harness.tokens.prompts import Task


@dataclass(frozen=True)
class Weights:
    """What the weights say of every token."""

    indicators: Mapping[Indicator, np.ndarray]
    main: Indicator
    is_tied: bool
    unused: UnusedIds
    check: ReferenceCheck | None
    """What the weights say of the ids taken to be unused; None where there are none."""

    @property
    def ranking(self) -> np.ndarray:
        """The main indicator; low is suspicious."""
        return self.indicators[self.main]


@dataclass(frozen=True)
class Verified:
    """Candidates, ascending by the main indicator, with their probability under every prompt that fits."""

    ids: tuple[int, ...]
    by_prompt: Mapping[Task, np.ndarray]
    encodeable: np.ndarray
    answer_ids: Mapping[Task, np.ndarray]

    @property
    def max_prob(self) -> np.ndarray:
        """The largest probability over prompts and positions."""
        if not self.by_prompt:
            return np.full(len(self.ids), np.nan)
        best: np.ndarray = np.max(np.stack(list(self.by_prompt.values())), axis=0)
        return best

    @property
    def is_verified(self) -> np.ndarray:
        """The reporting rule; nothing is verified where no prompt fits."""
        return self.max_prob < VERIFIED_BELOW
