"""A search with a stop rule, and the confirmation of what it only predicted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Bool, Float

from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView

# A promise learnt from fewer answers, or from answers of one kind, is none.
_LEAST_ASKED = 30
# What is below the limit once may be so by chance.
_STEPS_BELOW = 2
_CHUNK = 512


class End(Enum):
    """Why a search ended."""

    FEW_MISSED = "few_missed"
    """Fewer glitch tokens are expected to be missed than was asked for."""
    BUDGET = "budget"
    ALL_ASKED = "all_asked"


@dataclass(frozen=True, eq=False)
class Finding:
    """What is known and expected of every token of a view at one moment."""

    probability: Float[np.ndarray, " token"]
    """P(glitch); 1 or 0 for asked tokens."""
    asked: Bool[np.ndarray, " token"]
    """Asked in the wordings of a query."""
    reported: Bool[np.ndarray, " token"]
    """On the list."""
    spent: int
    """Token positions."""

    @property
    def confirmed(self) -> Bool[np.ndarray, " token"]:
        """Asked, and failed."""
        return self.asked & self.reported

    @property
    def predicted(self) -> Bool[np.ndarray, " token"]:
        """Reported without having been asked."""
        return self.reported & ~self.asked

    @property
    def expected_missed(self) -> float:
        """Glitch tokens among those neither asked nor reported, by their probabilities."""
        return float(self.probability[~self.asked & ~self.reported].sum())

    @property
    def expected_wrong(self) -> float:
        """Tokens among the predicted that are none, by their probabilities."""
        return float((1 - self.probability[self.predicted]).sum())

    @property
    def expected_total(self) -> float:
        """All glitch tokens: confirmed ones, and what is expected of the others."""
        return float(self.confirmed.sum() + self.probability[~self.asked].sum())

    @property
    def missed_share(self) -> float | None:
        """Expected missed of expected total; None while what was asked is too little to promise anything."""
        n_asked, n_confirmed = int(self.asked.sum()), int(self.confirmed.sum())
        if n_asked < _LEAST_ASKED or not 0 < n_confirmed < n_asked:
            return None
        return self.expected_missed / self.expected_total


@dataclass(frozen=True, eq=False)
class Search:
    """A search that has ended."""

    steps: tuple[Finding, ...]
    """After each budget; the last one after the confirmation, where there was one."""
    end: End
    n_confirming: int
    """Tokens asked for confirmation."""


def search(
    view: ModelView,
    detector: Detector,
    oracle: QueryOracle,
    budgets: Sequence[int],
    missed_below: float | None,
    confirm: bool,
    seed: int,
    follow: Callable[[Finding], None] = lambda _: None,
) -> Search:
    """Let `detector` search budget by budget, until few are expected to be missed; then confirm with what is left.

    A detector that begins anew with each budget gets the last of `budgets` alone. `follow` sees every step.
    """
    steps: list[Finding] = []
    end = End.BUDGET
    for report in detector.reports(view, lambda: oracle, budgets if detector.goes_on else budgets[-1:], seed):
        steps.append(_finding(view, report, oracle.answers))
        follow(steps[-1])
        if steps[-1].asked.all():
            end = End.ALL_ASKED
            break
        if missed_below is not None and _is_below(steps, missed_below):
            end = End.FEW_MISSED
            break
    n_before = len(oracle.answers)
    if confirm:
        confirmed = _confirmed(view, steps[-1], oracle, budgets[-1])
        if len(oracle.answers) > n_before:
            steps.append(confirmed)
            follow(confirmed)
    return Search(tuple(steps), end, len(oracle.answers) - n_before)


def _is_below(steps: Sequence[Finding], missed_below: float) -> bool:
    shares = [step.missed_share for step in steps[-_STEPS_BELOW:]]
    return len(shares) == _STEPS_BELOW and all(share is not None and share < missed_below for share in shares)


def _finding(view: ModelView, report: Report, answers: Mapping[int, bool]) -> Finding:
    """What a report says, with the verdicts of the oracle in place of a detector's own."""
    reported = np.zeros(view.n, dtype=bool)
    reported[view.place[report.predicted]] = True
    return _with_verdicts(view, report.probability, reported, answers, report.spent)


def _with_verdicts(
    view: ModelView,
    probability: Float[np.ndarray, " token"],
    reported: Bool[np.ndarray, " token"],
    answers: Mapping[int, bool],
    spent: int,
) -> Finding:
    asked = np.zeros(view.n, dtype=bool)
    places = view.place[np.fromiter(answers, dtype=np.int64, count=len(answers))]
    fails = np.fromiter(answers.values(), dtype=bool, count=len(answers))
    asked[places] = True
    probability, reported = probability.copy(), reported.copy()
    probability[places], reported[places] = fails, fails
    return Finding(probability, asked, reported, spent)


def _confirmed(view: ModelView, found: Finding, oracle: QueryOracle, budget: int) -> Finding:
    """The same after asking the predicted tokens, those with P nearest one half first."""
    ledger = Ledger(view, oracle, max(0, budget - found.spent))
    places = np.flatnonzero(found.predicted)
    doubtful = places[np.argsort(np.abs(found.probability[places] - 0.5), kind="stable")]
    for start in range(0, len(doubtful), _CHUNK):
        ledger.query_what_fits(view.ids[doubtful[start : start + _CHUNK]].tolist())
    return _with_verdicts(
        view, found.probability, found.reported, oracle.answers, found.spent + ledger.tokens_processed
    )
