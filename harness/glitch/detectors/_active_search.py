"""The search of `active_census`: which tokens it queries, what it learns from the verdicts, what it would report."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.glitch.detectors._expected_f1 import best_cut
from harness.glitch.detectors._features import Features
from harness.glitch.detectors._margin_process import MarginProcess, targets
from harness.glitch.detectors._verdict_model import VerdictModel
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.view import ModelView

# Shrinks the share of neighbours that fail to the overall share: the weight, in neighbours, of that prior.
_PRIOR_NEIGHBOURS = 1.0
# The process predicts better near known answers, the classifiers far from them: both weigh the same.
_SHARE_OF_CLASSIFIERS = 0.5
_EDGE = 1e-3


@dataclass(eq=False)
class ActiveSearch:
    """The state of one search: what was queried, and P(glitch) of every token."""

    view: ModelView
    ledger: Ledger
    features: Features
    n_trees: int
    seed: int

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 6])
        # The column of neighbours' verdicts comes last; it shares the length of the geometry group.
        kinds = dict(self.features.groups)
        kinds["geometry"] = np.append(kinds["geometry"], len(self.features.names))
        self.process = MarginProcess(list(kinds.values()), self.seed)
        self.verdicts = VerdictModel(self.n_trees, self.seed)
        # The rank-normalised columns: these classifiers look at single columns and gain nothing from rows' directions.
        self.rank_normalised = np.sort(np.concatenate([kinds[name] for name in ("geometry", "components", "text")]))
        self.margins: dict[int, float] = {}
        self.probability: Float[np.ndarray, " token"] = self.features.suspicion.copy()
        self.cut = 1.0

    @property
    def queried(self) -> Int[np.ndarray, " queried"]:
        """Places in the view of the tokens with a verdict."""
        return self.view.place[np.fromiter(self.ledger.answers, dtype=np.int64, count=len(self.ledger.answers))]

    @property
    def open(self) -> Int[np.ndarray, " open"]:
        """Places of the others."""
        return np.setdiff1d(np.arange(self.view.n), self.queried)

    @property
    def n_open(self) -> int:
        """How many have no verdict."""
        return self.view.n - len(self.ledger.answers)

    def query(self, places: Int[np.ndarray, " some"]) -> None:
        """Query these tokens, and keep the margins of their answers."""
        queried = self.ledger.query_what_fits(self.view.ids[places].tolist())
        passes = self.view.passes
        new = [token for token in dict.fromkeys(queried) if token not in self.margins]
        if passes is not None and passes.can_read_margins and new:
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
        # Where two draws fell on one rank, the most suspicious ranks not drawn fill the gap.
        drawn = set(chosen)
        chosen += [rank for rank in range(size) if rank not in drawn][: n - len(chosen)]
        return order[chosen]

    def learn(self) -> None:
        """Update P(glitch) of every token and the cut from the verdicts so far."""
        fails = np.fromiter(self.ledger.answers.values(), dtype=bool, count=len(self.ledger.answers))
        if not len(fails) or fails.all() or not fails.any():
            # Verdicts of one kind cannot train a classifier: only their share is used, in the order of suspicion.
            share = (float(fails.sum()) + 0.5) / (len(fails) + 1)
            self.probability = np.clip(self.features.suspicion * 2 * share, 1e-3, 1 - 1e-3)
            self.cut = 0.0 if len(fails) and fails.all() else 1.0
            return
        queried = self.queried
        values = np.column_stack([self.features.values, _neighbour_shares(self.features, queried, fails)])
        margins = np.array([self.margins[token] for token in self.ledger.answers]) if self.margins else None
        doubt = -np.abs(self.probability[queried] - 0.5)
        near = self.process.learn(values, queried, targets(margins, fails), doubt)
        far = self.verdicts.learn(values[:, self.rank_normalised], queried, fails)
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
        """Ids that failed, and those not queried whose probability lies above the cut."""
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
    features: Features, queried: Int[np.ndarray, " queried"], fails: Bool[np.ndarray, " queried"]
) -> Float[np.ndarray, " token"]:
    """Share of each token's queried neighbours that fail, shrunk to the overall share; without the token itself."""
    n = len(features.values)
    known, failed = np.zeros(n), np.zeros(n)
    known[queried], failed[queried] = 1.0, fails
    counts = known[features.neighbours].sum(axis=1)
    hits = failed[features.neighbours].sum(axis=1)
    share = (hits + float(fails.mean()) * _PRIOR_NEIGHBOURS) / (counts + _PRIOR_NEIGHBOURS)
    # On the scale of the other features: standard scores.
    scores: np.ndarray = (share - share.mean()) / (share.std() + 1e-9)
    return scores


def _log_odds(probability: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.log(probability / (1 - probability))
