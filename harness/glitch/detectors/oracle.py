"""Oracles: whether a token is a glitch token, with the number of queries counted.

A detector sees weights and tokenizer for free; every verdict on behaviour costs queries. One query is one
token through one prompt. A token queried before is free: its verdict is remembered.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from harness.errors import RunFailed


class BudgetSpent(RunFailed):
    """The oracle answers no further token; what it answered so far is in `QueryOracle.answers`."""


@runtime_checkable
class QueryOracle(Protocol):
    """Verdicts on tokens, counted."""

    @property
    def answers(self) -> Mapping[int, bool]:
        """Every verdict given so far, in the order the tokens were first queried."""
        ...

    @property
    def margins(self) -> Mapping[int, float]:
        """Logits by which queried tokens were ahead of the best other answer, below 0 for those that fail; NaN, or no
        entry, where that is not known."""
        ...

    @property
    def n_queries(self) -> int:
        """Distinct queries so far: distinct tokens times prompts per token."""
        ...

    @property
    def tokens_processed(self) -> int:
        """Token positions that went through the model for them."""
        ...

    def settle(self, ids: Sequence[int]) -> list[bool]:
        """Whether tokens that failed their query fail further wordings as well, in the order of `ids`; asked until they
        pass one. Their verdicts are these from now on."""
        ...

    def query(self, ids: Sequence[int]) -> list[bool]:
        """Whether each token fails (True: a glitch token), in the order of `ids`.

        Raises `BudgetSpent` where the budget does not cover a new token; those before it are answered and remembered.
        """
        ...


class MemoOracle(ABC):
    """The counting every oracle shares: a memory of verdicts, the queries they cost, a budget that may be set.

    `queries_per_token` is how many prompts one verdict takes, `budget` how many queries may be made (None: any number).
    A subclass answers new tokens in `_answer`. Raises `ValueError` for fewer than one prompt or a negative budget.
    """

    def __init__(self, queries_per_token: int = 1, budget: int | None = None) -> None:
        if queries_per_token < 1 or (budget is not None and budget < 0):
            raise ValueError(f"{queries_per_token} queries per token, a budget of {budget}")
        self._per_token = queries_per_token
        self._budget = budget
        self._answers: dict[int, bool] = {}
        self._margins: dict[int, float] = {}
        self._tokens = 0

    @property
    def queries_per_token(self) -> int:
        """How many prompts one verdict takes."""
        return self._per_token

    @property
    def answers(self) -> Mapping[int, bool]:
        """Every verdict given so far, in the order the tokens were first queried."""
        return self._answers

    @property
    def margins(self) -> Mapping[int, float]:
        """See `QueryOracle.margins`."""
        return self._margins

    @property
    def n_queries(self) -> int:
        """Distinct tokens queried so far times prompts per token."""
        return len(self._answers) * self._per_token

    @property
    def tokens_processed(self) -> int:
        """Token positions that went through the model for them."""
        return self._tokens

    def query(self, ids: Sequence[int]) -> list[bool]:
        """Whether each token fails, in the order of `ids`; see `QueryOracle.query`."""
        new = [token for token in dict.fromkeys(int(i) for i in ids) if token not in self._answers]
        left = len(new)
        if self._budget is not None:
            left = max(0, (self._budget - self.n_queries) // self._per_token)
        paid = new[:left]
        if paid:
            verdicts, tokens = self._answer(paid)
            self._answers.update(zip(paid, verdicts, strict=True))
            self._tokens += tokens
        if len(paid) < len(new):
            raise BudgetSpent(f"the budget of {self._budget} queries is spent ({len(self._answers)} tokens were asked)")
        return [self._answers[int(i)] for i in ids]

    def settle(self, ids: Sequence[int]) -> list[bool]:
        """See `QueryOracle.settle`. Raises `RunFailed` for an oracle whose queries are final."""
        found, tokens = self._settle([int(i) for i in ids])
        self._answers.update(zip(map(int, ids), found, strict=True))
        self._tokens += tokens
        return list(found)

    def _settle(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        """Verdicts of tokens that failed, and the token positions processed for them."""
        raise RunFailed(f"the verdicts of this oracle are final; {len(ids)} tokens were to be looked at again")

    @abstractmethod
    def _answer(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        """Verdicts of distinct tokens never queried before, and the token positions processed for them."""


class TableOracle(MemoOracle):
    """Answers from stored verdicts (a census, a planted truth) and charges as if the model had been prompted.

    `verdicts` maps token id to "fails"; `tokens_per_query` is the length of a prompt with its answer, one for all or by
    id; `margins` go with the verdicts; `settled` and `settling` are the verdicts of a second look and what it
    costs. Querying a token that the table lacks raises `RunFailed`: a sampled census
    cannot answer for the others.
    """

    def __init__(
        self,
        verdicts: Mapping[int, bool],
        queries_per_token: int = 1,
        tokens_per_query: int | Mapping[int, int] = 0,
        budget: int | None = None,
        margins: Mapping[int, float] | None = None,
        settled: Mapping[int, bool] | None = None,
        settling: Mapping[int, int] | None = None,
    ) -> None:
        super().__init__(queries_per_token, budget)
        self._verdicts, self._stored_margins = verdicts, margins or {}
        self._settled, self._settling = settled or verdicts, settling or {}
        self._tokens_per_query = tokens_per_query

    def _answer(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        missing = [token for token in ids if token not in self._verdicts]
        if missing:
            raise RunFailed(
                f"no verdict is stored for {len(missing)} of the tokens asked, the first of them id {missing[0]}"
            )
        found = [bool(self._verdicts[token]) for token in ids]
        self._margins |= {token: self._stored_margins[token] for token in ids if token in self._stored_margins}
        prices = self._tokens_per_query
        positions = len(ids) * prices if isinstance(prices, int) else sum(prices[token] for token in ids)
        return found, self._per_token * positions

    def _settle(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        return [bool(self._settled[token]) for token in ids], sum(self._settling.get(token, 0) for token in ids)
