"""What a detector did step by step and what it cost: one budget for verdicts and passes, and the order they came in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.glitch.detectors.oracle import BudgetSpent, QueryOracle
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a detector would have reported had it stopped here."""

    spent: int
    """Queries so far."""
    predicted: Int[np.ndarray, " predicted"]


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """One detector's answer on one model."""

    judged: Int[np.ndarray, " judged"]
    """Tokens that were queried, in that order."""
    verdicts: Bool[np.ndarray, " judged"]
    """True: fails."""
    spent_after: Int[np.ndarray, " judged"]
    """Queries spent once each of them was answered."""
    predicted: Int[np.ndarray, " predicted"]
    """Ids reported as glitch tokens, queried or not, ascending."""
    scores: Float[np.ndarray, " token"]
    """One for every token of the view, higher for glitch tokens; queried tokens get the highest and lowest scores."""
    n_queries: int
    """Everything within the budget: prompts of verdicts, and passes taken for other reasons."""
    n_passes: int
    """Passes among `n_queries` that gave no verdict of the oracle."""
    n_passes_beyond: int
    """Passes the method cannot do without and that no budget of this size covers."""
    tokens_processed: int
    """Token positions that went through the model for all of it."""
    snapshots: tuple[Snapshot, ...] = ()


class Ledger:
    """The budget of one detection and what is spent of it; a `QueryOracle` itself.

    One query is one token through one prompt: a verdict costs `view.queries_per_token`, a pass for entropy or
    activations one. A token queried before is free. Raises `ValueError` for a negative budget.
    """

    def __init__(self, view: ModelView, oracle: QueryOracle, budget: int) -> None:
        if budget < 0:
            raise ValueError(f"a budget of {budget} queries")
        self._view, self._oracle, self.budget = view, oracle, budget
        self._before, self._tokens_before = oracle.n_queries, oracle.tokens_processed
        self._verdicts: dict[int, bool] = {}
        self._spent_after: list[int] = []
        self._passes = self._beyond = self._pass_tokens = 0
        self._snapshots: list[Snapshot] = []

    @property
    def answers(self) -> Mapping[int, bool]:
        """Verdicts so far, in the order of the queries."""
        return self._verdicts

    @property
    def n_queries(self) -> int:
        """Spent so far."""
        return self._oracle.n_queries - self._before + self._passes

    @property
    def tokens_processed(self) -> int:
        """Token positions so far."""
        return self._oracle.tokens_processed - self._tokens_before + self._pass_tokens

    @property
    def left(self) -> int:
        """Queries left."""
        return self.budget - self.n_queries

    @property
    def tokens_left(self) -> int:
        """How many more tokens can be queried."""
        return max(0, self.left // self._view.queries_per_token)

    def query(self, ids: Sequence[int]) -> list[bool]:
        """Verdicts, as `QueryOracle.query`; raises `BudgetSpent` after answering what the budget covers."""
        new = [token for token in dict.fromkeys(int(i) for i in ids) if token not in self._verdicts]
        paid = new[: self.tokens_left]
        before = self.n_queries
        for token, fails in zip(paid, self._oracle.query(paid) if paid else (), strict=True):
            before += self._view.queries_per_token
            self._verdicts[token] = bool(fails)
            self._spent_after.append(min(before, self.n_queries))
        if len(paid) < len(new):
            raise BudgetSpent(f"the budget of {self.budget} queries is spent ({len(self._verdicts)} tokens were asked)")
        return [self._verdicts[int(i)] for i in ids]

    def query_what_fits(self, ids: Sequence[int]) -> list[int]:
        """Query in this order until the budget is spent; the ids among `ids` that have one now."""
        try:
            self.query(ids)
        except BudgetSpent:
            return [int(i) for i in ids if int(i) in self._verdicts]
        return [int(i) for i in ids]

    def pay_passes(self, n: int, n_positions: int) -> None:
        """Charge passes that gave no verdict. Raises `BudgetSpent` where they are more than is left."""
        if n > self.left:
            raise BudgetSpent(f"the budget of {self.budget} queries does not cover {n} more passes")
        self._passes += n
        self._pass_tokens += n_positions

    def pay_beyond(self, n: int, n_positions: int) -> None:
        """Count passes that no budget of this size covers, outside the budget."""
        self._beyond += n
        self._pass_tokens += n_positions

    def judge(self, token: int, fails: bool) -> None:
        """Note a verdict that a detector's own pass gave, already charged."""
        if token not in self._verdicts:
            self._verdicts[token] = bool(fails)
            self._spent_after.append(self.n_queries)

    def snapshot(self, predicted: Sequence[int] | np.ndarray) -> None:
        """Note what would be reported now."""
        self._snapshots.append(Snapshot(self.n_queries, np.unique(np.asarray(predicted, dtype=np.int64))))

    @property
    def hits(self) -> list[int]:
        """Tokens whose verdict is that they fail."""
        return [token for token, fails in self._verdicts.items() if fails]

    def result(self, scores: Float[np.ndarray, " token"], predicted: Sequence[int] | None = None) -> DetectionResult:
        """The result; `predicted` None: the tokens found to fail and no others."""
        reported = self.hits if predicted is None else predicted
        return DetectionResult(
            judged=np.fromiter(self._verdicts, dtype=np.int64, count=len(self._verdicts)),
            verdicts=np.fromiter(self._verdicts.values(), dtype=bool, count=len(self._verdicts)),
            spent_after=np.asarray(self._spent_after, dtype=np.int64),
            predicted=np.unique(np.asarray(list(reported), dtype=np.int64)),
            scores=self._with_answers(scores),
            n_queries=self.n_queries,
            n_passes=self._passes,
            n_passes_beyond=self._beyond,
            tokens_processed=self.tokens_processed,
            snapshots=tuple(self._snapshots),
        )

    def _with_answers(self, scores: Float[np.ndarray, " token"]) -> Float[np.ndarray, " token"]:
        """Scores with those of queried tokens above (fails) or below (passes) all others."""
        found = np.array(scores, dtype=np.float64)
        top, bottom = (float(found.max()) + 1.0, float(found.min()) - 1.0) if len(found) else (1.0, 0.0)
        for token, fails in self._verdicts.items():
            found[self._view.place[token]] = top if fails else bottom
        return found
