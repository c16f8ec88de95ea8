"""What a detector spends, and what it says for it: one budget for verdicts and passes, in token positions."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from harness.glitch.detectors.oracle import BudgetSpent, QueryOracle
from harness.glitch.detectors.prediction import calibrated, predict
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView


class Ledger:
    """The budget of one detection and what is spent of it; a `QueryOracle` itself.

    `budget`: token positions, None for as many as it takes; it may be raised on the way. A token is queried only where
    the budget covers the dearest answer it could give, so that it is never exceeded. A token queried before is free.
    Raises `ValueError` for a negative budget.
    """

    def __init__(self, view: ModelView, oracle: QueryOracle, budget: int | None) -> None:
        if budget is not None and budget < 0:
            raise ValueError(f"a budget of {budget} positions")
        self._view, self._oracle, self.budget = view, oracle, budget
        self._before = oracle.tokens_processed
        self._verdicts: dict[int, bool] = {}
        self._settled: set[int] = set()
        self._on_passes = 0

    @property
    def answers(self) -> Mapping[int, bool]:
        """Verdicts so far, in the order of the queries."""
        return self._verdicts

    @property
    def margins(self) -> Mapping[int, float]:
        """By how much queried tokens were ahead of the best other answer (logits; NaN: not known)."""
        return self._oracle.margins

    @property
    def n_queries(self) -> int:
        """Tokens queried so far."""
        return len(self._verdicts)

    @property
    def tokens_processed(self) -> int:
        """Token positions so far."""
        return self._oracle.tokens_processed - self._before + self._on_passes

    @property
    def left(self) -> float:
        """Token positions left."""
        return math.inf if self.budget is None else float(self.budget - self.tokens_processed)

    @property
    def n_affordable(self) -> int:
        """How many more tokens can be queried if all of them pass; at most those there are."""
        n_open = self._view.n - len(self._verdicts)
        if self.left < self._view.price.most:
            return 0
        return self.covers(n_open, self._view.price.usual)

    def covers(self, n: int, price: float | int) -> int:
        """For how many of `n` things at a price what is left pays."""
        return n if self.budget is None else max(0, min(n, int(self.left // price)))

    @property
    def asked(self) -> Int[np.ndarray, " asked"]:
        """Places in the view of the tokens with a verdict, in the order of the queries."""
        return self._view.place[np.fromiter(self._verdicts, dtype=np.int64, count=len(self._verdicts))]

    def query(self, ids: Sequence[int]) -> list[bool]:
        """Verdicts, as `QueryOracle.query`; raises `BudgetSpent` after answering what the budget covers."""
        new = [token for token in dict.fromkeys(int(i) for i in ids) if token not in self._verdicts]
        while new and self.left >= self._view.price.most:
            # As many as fit if all of them fail; what the others leave over pays for more.
            paid = new[: self.covers(len(new), self._view.price.most)]
            self._verdicts.update(zip(paid, map(bool, self._oracle.query(paid)), strict=True))
            new = new[len(paid) :]
        if new:
            raise BudgetSpent(f"the budget of {self.budget} positions is spent ({len(self._verdicts)} tokens asked)")
        return [self._verdicts[int(i)] for i in ids]

    def query_what_fits(self, ids: Sequence[int]) -> list[int]:
        """Query in this order until the budget is spent; the ids among `ids` that have a verdict now."""
        try:
            self.query(ids)
        except BudgetSpent:
            return [int(i) for i in ids if int(i) in self._verdicts]
        return [int(i) for i in ids]

    @property
    def unsettled(self) -> list[int]:
        """Tokens that failed their query and were not looked at again."""
        return [token for token, fails in self._verdicts.items() if fails and token not in self._settled]

    def settle(self, ids: Sequence[int]) -> list[bool]:
        """As `QueryOracle.settle`; raises `BudgetSpent` where a second look is more than is left."""
        found = []
        for token in map(int, ids):
            if self.left < self._view.price.settling:
                raise BudgetSpent(f"the budget of {self.budget} positions does not cover a second look")
            (self._verdicts[token],) = self._oracle.settle([token])
            self._settled.add(token)
            found.append(self._verdicts[token])
        return found

    def look_again(self, ids: Sequence[int], budget: float) -> None:
        """Settle tokens that failed, in this order, until about `budget` positions are spent on it. What passes no
        longer counts as failed."""
        enough = self.tokens_processed + budget
        most = self._view.price.settling
        for token in ids:
            # Without further wordings there is nothing to look at; the dearest look may go over by half of its price.
            if not most or self.tokens_processed + most / 2 > enough or self.left < most:
                return
            self.settle([token])

    @property
    def settled(self) -> frozenset[int]:
        """Tokens that were looked at again."""
        return frozenset(self._settled)

    def pay_passes(self, n_positions: int) -> None:
        """Charge passes that gave no verdict of the oracle. Raises `BudgetSpent` where they are more than is left."""
        if n_positions > self.left:
            raise BudgetSpent(f"the budget of {self.budget} positions does not cover {n_positions} more")
        self._on_passes += n_positions

    def judge(self, token: int, fails: bool) -> None:
        """Note a verdict that a detector's own pass gave, already charged."""
        self._verdicts.setdefault(token, bool(fails))

    @property
    def hits(self) -> list[int]:
        """Tokens whose verdict is that they fail."""
        return [token for token, fails in self._verdicts.items() if fails]

    def report_scores(self, scores: Float[np.ndarray, " token"]) -> Report:
        """What is said now of every token, from its score (high for glitch tokens, NaN for none)."""
        return self.report(calibrated(scores, self.asked, self._fails()))

    def report(self, probability: Float[np.ndarray, " token"]) -> Report:
        """What is said now of every token, from P(glitch)."""
        asked, fails = self.asked, self._fails()
        sure = np.array(probability, dtype=np.float64)
        sure[asked] = fails
        return Report(
            asked=self._view.ids[asked],
            fails=fails,
            probability=sure,
            predicted=self._view.ids[predict(sure, asked, fails)],
            spent=self.tokens_processed,
            spent_on_passes=self._on_passes,
        )

    def _fails(self) -> np.ndarray:
        return np.fromiter(self._verdicts.values(), dtype=bool, count=len(self._verdicts))
