"""What a detector is: a method with its settings, and how it is described."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class Detector(ABC):
    """Finds glitch tokens within a budget.

    A subclass is one method in one file, listed in `roster.py`: a frozen dataclass whose fields are its settings
    (`exp.<name>.*` of exp=detectors), each with where its default comes from; "unknown" means looked for in the
    sources and not found, the value is then ours. Its module imports nothing heavy at the top (`roster.py` says why).
    """

    name: ClassVar[str]
    """The key of its numbers and of its settings."""
    is_ours: ClassVar[bool] = False
    """Pictures set it apart, and some of its mistakes are listed."""
    is_published: ClassVar[bool] = False
    """Whether it is a method of the literature; the others are controls, or ours."""
    is_random: ClassVar[bool] = True
    """Whether another seed gives another answer."""
    ends_by_itself: ClassVar[bool] = False
    """Whether its authors give it no budget: it is then also run once without one."""
    goes_on: ClassVar[bool] = True
    """Whether a larger budget continues what a smaller one began; the others begin anew."""

    @abstractmethod
    def reports(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> Iterator[Report]:
        """One report after another, for each of `budgets` (token positions, ascending; None: as many as it takes).

        A method that can go on where a smaller budget ended opens one oracle, another a new one for each budget. `seed`
        varies every random choice. Nothing is spent on a report that is not asked for.
        """

    def detect(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> list[Report]:
        """All `reports`."""
        return list(self.reports(view, open_oracle, budgets, seed))

    @property
    def looks_again(self) -> bool:
        """Whether it asks tokens that failed a query in further wordings."""
        return False

    def obstacle(self, view: ModelView) -> str | None:  # noqa: ARG002
        """Why it cannot be run on this model; None where it can."""
        return None


@dataclass(frozen=True)
class OrderedDetector(Detector):
    """A detector that queries in an order fixed beforehand and gives every token a score."""

    @abstractmethod
    def order(self, view: ModelView, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
        """Places in the view, in the order of the queries."""

    @abstractmethod
    def scores(self, view: ModelView, answers: Mapping[int, bool]) -> Float[np.ndarray, " token"]:
        """One for every token of the view, high for glitch tokens; `answers`: verdicts so far, by id."""

    def reports(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> Iterator[Report]:
        """As `Detector.reports`."""
        ledger = Ledger(view, open_oracle(), 0)
        order = view.ids[self.order(view, np.random.default_rng([seed, 1]))].tolist()
        for budget in budgets:
            ledger.budget = budget
            ledger.query_what_fits(order)
            yield ledger.report_scores(self.scores(view, ledger.answers))
