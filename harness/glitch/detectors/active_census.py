"""Our own detector: a census of a few tokens, chosen while learning, and a prediction for all others.

1. What weights and tokenizer say of every token becomes a table of features (`features`).
2. The first queries are spread over the ranks of the weight indicators, half of them evenly, half evenly over their
   logarithm, so that both frequent and rare glitch tokens are met.
3. In rounds, P(glitch) is learnt from all answers so far (the mean of `margin_process` and `verdict_model`), and the
   tokens nearest to the cut with the highest expected F1 are queried, with a few of the spread order.
4. Some of the tokens that failed a query are asked in further wordings, those first that were nearest to passing; what
   is spent on it is the share that they have in all mistakes expected at that point.

It can stop at any time: a larger budget goes on where a smaller one ended.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from harness.constraints import Count, must_be
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class ActiveCensus(Detector):
    """The detector that learns from verdicts and, where logits can be seen, from by how much each answer was missed."""

    name = "active_census"
    is_ours = True
    uses_margins: ClassVar[bool] = True

    n_first: Count = 4
    """Tokens of the spread order before anything is learnt."""
    growth: Annotated[float, must_be("above 0", lambda share: share > 0)] = 0.25
    """Each round queries this share of what was queried before."""
    explore_share: Annotated[float, must_be("from 0 to 1", lambda share: 0 <= share <= 1)] = 0.1
    """Of the rounds' tokens that come from the spread order, so that no region is written off unseen."""
    n_components: Count = 16
    """Rank-normalised principal components of the rows among its features, besides the rows' directions."""
    n_neighbours: Count = 16
    """Neighbours whose density and verdicts are among its features."""
    n_trees: Count = 50
    """Trees of each forest among its classifiers."""
    second_looks: bool = True
    """Whether tokens that failed narrowly are asked in further wordings. No other detector does."""

    @property
    def looks_again(self) -> bool:
        """As it is set."""
        return self.second_looks

    def reports(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> Iterator[Report]:
        """As `Detector.reports`."""
        # Composing a config imports this module, and is to stay fast.
        from harness.glitch.detectors._active_search import ActiveSearch
        from harness.glitch.detectors._features import build_features

        ledger = Ledger(view, open_oracle(), 0)
        features = build_features(view, self.n_components, self.n_neighbours)
        search = ActiveSearch(view, ledger, features, self.n_trees, self.uses_margins, seed)
        for budget in budgets:
            ledger.budget = budget
            if ledger.n_queries < self.n_first:
                search.query(search.spread[: self.n_first])
            search.learn()
            while (n := ledger.n_affordable) > 0:
                wanted = max(1, int(self.growth * ledger.n_queries))
                search.query(search.choose(min(n, wanted), self.explore_share))
                if self.second_looks:
                    search.settle()
                search.learn()
            yield ledger.report(search.probability)


@dataclass(frozen=True)
class ActiveCensusOfVerdicts(ActiveCensus):
    """The same for a model of which only answers can be seen."""

    name = "active_census_verdicts"
    uses_margins = False
