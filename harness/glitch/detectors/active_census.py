"""Our own detector: a census of a few tokens, chosen while learning, and a prediction for all others.

1. What weights and tokenizer say of every token becomes a table of features (`features`).
2. A first part of the budget asks tokens spread over the whole range of the weight indicators, denser where these are
   suspicious: half of them evenly over the ranks, half evenly over their logarithm, so that both frequent and rare
   glitch tokens are met.
3. In rounds, P(glitch) is learnt from all answers so far (the mean of `margin_process` and `verdict_model`), and the
   tokens nearest to the cut that promises the highest F1 are asked, with a few at random.
4. Reported are the tokens that failed, and those not asked whose probability lies above the cut.

Of each answer it knows the verdict and, where repetition is among the tasks asked, by how much the token led or trailed
in it. It needs no pass but those of its verdicts, and no threshold of any published indicator.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.glitch.detectors.expected_f1 import best_cut
from harness.glitch.detectors.features import Features, build_features
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.margin_process import MarginProcess, targets
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.settings import ActiveCensusSettings
from harness.glitch.detectors.verdict_model import VerdictModel
from harness.glitch.detectors.view import ModelView

# A share of neighbours that fail needs some to speak of: one imagined neighbour at the overall share.
_PRIOR_NEIGHBOURS = 1.0
# The process knows more where answers lie close by, the classifiers where they are few: neither gets the larger say.
_SHARE_OF_CLASSIFIERS = 0.5
_EDGE = 1e-3


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
        search = _Search(view, ledger, features, s.n_trees, seed)
        total = ledger.tokens_left
        search.ask(search.spread(min(total, max(1, round(s.first_share * total)))))
        step = -(-ledger.tokens_left // s.n_rounds)
        while ledger.tokens_left > 0 and search.n_open > 0:
            n = min(step, ledger.tokens_left)
            search.learn()
            ledger.snapshot(search.predicted())
            search.ask(search.choose(n, s.explore_share))
        search.learn()
        ledger.snapshot(search.predicted())
        return ledger.result(search.probability, search.predicted().tolist())


@dataclass(eq=False)
class _Search:
    """The state of one search: what was asked, and what is believed of every token."""

    view: ModelView
    ledger: Ledger
    features: Features
    n_trees: int
    seed: int

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 6])
        # What the neighbours said comes last among the columns; it is geometry.
        kinds = dict(self.features.groups)
        kinds["geometry"] = np.append(kinds["geometry"], len(self.features.names))
        self.process = MarginProcess(list(kinds.values()), self.seed)
        self.verdicts = VerdictModel(self.n_trees, self.seed)
        # Classifiers of single columns gain nothing from the directions of whole rows.
        self.levelled = np.sort(np.concatenate([kinds[name] for name in ("geometry", "components", "text")]))
        self.margins: dict[int, float] = {}
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
        """Buy verdicts, and keep what their answers say beyond them."""
        asked = self.ledger.ask_what_fits(self.view.ids[places].tolist())
        passes = self.view.passes
        new = [token for token in dict.fromkeys(asked) if token not in self.margins]
        if passes is not None and passes.can_ask_margins and new:
            self.margins |= dict(zip(new, passes.margins(new).tolist(), strict=True))

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
        asked = self.asked
        values = np.column_stack([self.features.values, _neighbour_shares(self.features, asked, fails)])
        margins = np.array([self.margins[token] for token in self.ledger.answers]) if self.margins else None
        doubt = -np.abs(self.probability[asked] - 0.5)
        near = self.process.learn(values, asked, targets(margins, fails), doubt)
        far = self.verdicts.learn(values[:, self.levelled], asked, fails)
        self.probability = np.clip(near + _SHARE_OF_CLASSIFIERS * (far - near), _EDGE, 1 - _EDGE)
        self.cut, _ = best_cut(self.probability[self.open], int(fails.sum()))

    def choose(self, n: int, explore_share: float) -> Int[np.ndarray, " n"]:
        """The open tokens nearest to the cut (in log-odds), and some at random: that share of all rounds together."""
        n_random = int(explore_share * n + self.rng.random())
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


def _neighbour_shares(
    features: Features, asked: Int[np.ndarray, " asked"], fails: Bool[np.ndarray, " asked"]
) -> Float[np.ndarray, " token"]:
    """Share of each token's asked neighbours that fail, drawn to the overall share; itself never counted."""
    n = len(features.values)
    known, failed = np.zeros(n), np.zeros(n)
    known[asked], failed[asked] = 1.0, fails
    counts = known[features.neighbours].sum(axis=1)
    hits = failed[features.neighbours].sum(axis=1)
    share = (hits + float(fails.mean()) * _PRIOR_NEIGHBOURS) / (counts + _PRIOR_NEIGHBOURS)
    # On the scale of the other features: standard scores.
    scores: np.ndarray = (share - share.mean()) / (share.std() + 1e-9)
    return scores


def _log_odds(probability: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.log(probability / (1 - probability))
