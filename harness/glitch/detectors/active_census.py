"""Our own detector: a census of a few tokens, chosen while learning, and a prediction for all others.

1. What weights and tokenizer say of every token becomes a table of features (`features`).
2. A first part of the budget queries tokens spread over the whole range of the weight indicators, denser where these
   are suspicious: half of them evenly over the ranks, half evenly over their logarithm, so that both frequent and rare
   glitch tokens are met.
3. In rounds, P(glitch) is learnt from all answers so far (the mean of `margin_process` and `verdict_model`), and the
   tokens nearest to the cut with the highest expected F1 are queried, with a few at random.
4. Reported are the tokens that failed, and those not queried whose probability lies above the cut.

Of each answer it knows the verdict and, where repetition is among the tasks, by how much the token led or trailed in
it. It needs no pass but those of its verdicts, and no threshold of any published indicator.
"""

from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Count, must_be
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class ActiveCensus(Detector):
    """The detector with its settings: round numbers, settled in trials on pocket and two other organisms; the README
    says which organisms are untouched by them."""

    name = "active_census"
    is_ours = True
    scores_unqueried = True

    first_share: Annotated[float, must_be("above 0, at most 1", lambda share: 0 < share <= 1)] = 0.1
    """Of the budget that is spread evenly over the range of the weight indicators before anything is learnt."""
    n_rounds: Count = 40
    """Times P(glitch) is learnt again and the tokens nearest to the cut are queried."""
    explore_share: Annotated[float, must_be("from 0 to 1", lambda share: 0 <= share <= 1)] = 0.05
    """Of the rounds' tokens that are drawn at random, so that no region is written off unseen."""
    n_components: Count = 16
    """Rank-normalised principal components of the rows among its features, besides the rows' directions."""
    n_neighbours: Count = 16
    """Neighbours whose density and verdicts are among its features."""
    n_trees: Count = 150

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """As `Detector.detect`."""
        # Composing a config imports this module, and is to stay fast.
        from harness.glitch.detectors._active_search import ActiveSearch
        from harness.glitch.detectors._features import build_features

        ledger = Ledger(view, oracle, budget)
        features = build_features(view, self.n_components, self.n_neighbours)
        search = ActiveSearch(view, ledger, features, self.n_trees, seed)
        total = ledger.tokens_left
        search.query(search.spread(min(total, max(1, round(self.first_share * total)))))
        step = -(-ledger.tokens_left // self.n_rounds)
        while ledger.tokens_left > 0 and search.n_open > 0:
            n = min(step, ledger.tokens_left)
            search.learn()
            ledger.snapshot(search.predicted())
            search.query(search.choose(n, self.explore_share))
        search.learn()
        ledger.snapshot(search.predicted())
        return ledger.result(search.probability, search.predicted().tolist())
