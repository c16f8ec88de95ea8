"""Our own detector: a census of a few tokens, chosen while learning, and a prediction for all others.

1. What weights and tokenizer say of every token becomes a table of features (`features`).
2. A first part of the budget asks tokens spread over the whole range of the weight indicators, denser where these are
   suspicious: half of them evenly over the ranks, half evenly over their logarithm, so that both frequent and rare
   glitch tokens are met.
3. In rounds, P(glitch) is learnt from all verdicts so far (`verdict_model`), and the tokens nearest to the cut that
   promises the highest F1 are asked, with a few at random.
4. Reported are the tokens that failed, and those not asked whose probability lies above the cut.

It needs no pass but those of its verdicts, and no threshold of any published indicator.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from harness.detection.features import Features, build_features
from harness.detection.ledger import DetectionResult, Ledger
from harness.detection.oracle import QueryOracle
from harness.detection.settings import ActiveCensusSettings
from harness.detection.verdict_model import VerdictModel, best_cut
from harness.detection.view import ModelView


@dataclass(frozen=True)
class ActiveCensus:
    """The detector with its settings."""

    settings: ActiveCensusSettings = field(default_factory=ActiveCensusSettings)
    name = "active_census"

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """As `Detector.detect`."""
        s = self.settings
        ledger = Ledger(view, oracle, budget)
        features = build_features(view, s.n_components, s.n_neighbours)
        search = _Search(view, ledger, features, VerdictModel(s.n_trees, seed), np.random.default_rng([seed, 6]))
        total = ledger.tokens_left
        search.ask(search.spread(min(total, max(1, round(s.first_share * total)))))
        step = -(-ledger.tokens_left // s.n_rounds)
        while ledger.tokens_left > 0 and search.n_open > 0:
            n = min(step, ledger.tokens_left)
            search.learn()
            ledger.snapshot(search.predicted())
            search.ask(search.choose(n, round(s.explore_share * n)))
        search.learn()
        ledger.snapshot(search.predicted())
        return ledger.result(search.probability, search.predicted().tolist())


@dataclass(eq=False)
class _Search:
    """The state of one search: what was asked, and what is believed of every token."""

    view: ModelView
    ledger: Ledger
    features: Features
    model: VerdictModel
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.probability: Float[np.ndarray, " token"] = self.features.suspicion.copy()
        self.cut = 1.0

    @property
    def asked(self) -> Int[np.ndarray, " asked"]:
        """Places in the view of the tokens with a verdict."""
        return self.view.place[np.fromiter(self.ledger.answers, dtype=np.int64, count=len(self.ledger.answers))]

    @property
    def open(self) -> Int[np.ndarray, " open"]:
        """Places of the others."""
        return np.setdiff1d(np.arange(self.view.n), self.asked)

    @property
    def n_open(self) -> int:
        """How many have no verdict."""
        return self.view.n - len(self.ledger.answers)

    def ask(self, places: Int[np.ndarray, " some"]) -> None:
        """Buy verdicts."""
        self.ledger.ask_what_fits(self.view.ids[places].tolist())

    def spread(self, n: int) -> Int[np.ndarray, " n"]:
        """Places spread over the ranks of suspicion: half evenly, half evenly over the logarithm of the rank."""
        order = np.argsort(-self.features.suspicion, kind="stable")
        size = self.view.n
        n = min(n, size)
        jitter = self.rng.random(n)
        half = n // 2
        evenly = (np.arange(half) + jitter[:half]) / max(1, half) * size
        dense = size ** ((np.arange(n - half) + jitter[half:]) / max(1, n - half)) - 1
        wanted = np.clip(np.concatenate([evenly, dense]).astype(np.int64), 0, size - 1)
        chosen = list(dict.fromkeys(wanted.tolist()))
        # Two draws of one rank leave room for another: the most suspicious rank not drawn.
        drawn = set(chosen)
        chosen += [rank for rank in range(size) if rank not in drawn][: n - len(chosen)]
        return order[chosen]

    def learn(self) -> None:
        """Believe anew what the verdicts so far say of every token."""
        fails = np.fromiter(self.ledger.answers.values(), dtype=bool, count=len(self.ledger.answers))
        if not len(fails) or fails.all() or not fails.any():
            # One kind of verdict teaches nothing but its share; the order stays that of suspicion.
            share = (float(fails.sum()) + 0.5) / (len(fails) + 1)
            self.probability = np.clip(self.features.suspicion * 2 * share, 1e-3, 1 - 1e-3)
            self.cut = 0.0 if len(fails) and fails.all() else 1.0
            return
        self.probability = self.model.learn(self.features, self.asked, fails)
        self.cut, _ = best_cut(self.probability[self.open], int(fails.sum()))

    def choose(self, n: int, n_random: int) -> Int[np.ndarray, " n"]:
        """The open tokens nearest to the cut (in log-odds), and some at random."""
        places = self.open
        if self.cut >= 1.0:
            nearest = places[np.argsort(-self.probability[places], kind="stable")]
        else:
            odds = _log_odds(self.probability[places])
            centre = _log_odds(np.array([np.clip(self.cut, 1e-3, 1 - 1e-3)]))[0]
            nearest = places[np.argsort(np.abs(odds - centre), kind="stable")]
        sure = nearest[: max(0, n - n_random)]
        others = np.setdiff1d(places, sure)
        return np.concatenate([sure, self.rng.permutation(others)[: n - len(sure)]])

    def predicted(self) -> Int[np.ndarray, " predicted"]:
        """Ids that failed, and those not asked above the cut."""
        places = self.open
        return np.sort(
            np.concatenate(
                [
                    np.asarray(self.ledger.hits, dtype=np.int64),
                    self.view.ids[places[self.probability[places] > self.cut]],
                ]
            )
        )


def _log_odds(probability: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.log(probability / (1 - probability))
