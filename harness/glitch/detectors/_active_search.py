"""The search of `active_census`: which tokens it queries, and what it learns from the verdicts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, logit

from harness.glitch.detectors._features import Features, indicator_columns, neighbour_shares
from harness.glitch.detectors._logistic_average import average_curves
from harness.glitch.detectors._margin_process import MarginProcess, targets
from harness.glitch.detectors._recalibration import recalibrate
from harness.glitch.detectors._threshold_model import ThresholdModel
from harness.glitch.detectors._verdict_model import VerdictModel
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.prediction import best_cut
from harness.glitch.detectors.spread import spread_order
from harness.glitch.detectors.view import ModelView

# The process predicts better near known answers, the classifiers far from them: both weigh the same.
_SHARE_OF_CLASSIFIERS = 0.5
_EDGE = 1e-6
# Of so many answers, what was learnt from them weighs as much as a threshold on an indicator.
_EVEN_AT = 25
# Where, in logits below zero, the better of two answers begins to mean that all others fail as well.
_BOUNDARIES = np.linspace(-1.0, 0.5, 16)
_STEEPNESSES = np.array([2.0, 4.0, 8.0, 16.0])
_SURE = 0.9


@dataclass(eq=False)
class ActiveSearch:
    """The state of one search: what was queried, and P(glitch) of every token."""

    view: ModelView
    ledger: Ledger
    features: Features
    n_trees: int
    uses_margins: bool
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
        self.threshold = ThresholdModel(indicator_columns(self.view))
        self.spread = spread_order(self.features.suspicion, self.rng)
        self.settling = 0
        self.probability: Float[np.ndarray, " token"] = np.zeros(self.view.n)
        # What was learnt last, and of queried tokens before their answers, as log-odds before recalibration.
        self.learnt: Float[np.ndarray, " token"] | None = None
        self.said: dict[int, float] = {}

    @property
    def open(self) -> Int[np.ndarray, " open"]:
        """Places of the tokens without a verdict."""
        return np.setdiff1d(np.arange(self.view.n), self.ledger.asked)

    def query(self, places: Int[np.ndarray, " some"]) -> None:
        """Query these tokens as far as the budget goes."""
        queried = self.ledger.query_what_fits(self.view.ids[places].tolist())
        if self.learnt is not None:
            for token in queried:
                self.said.setdefault(token, float(self.learnt[self.view.place[token]]))

    def learn(self) -> None:
        """Update P(glitch) of every token from the verdicts so far."""
        self.learnt = _log_odds(self._learn())
        fails = np.array([self.ledger.answers[token] for token in self.said], dtype=bool)
        self.probability = recalibrate(self.learnt, np.array(list(self.said.values())), fails)

    def _learn(self) -> Float[np.ndarray, " token"]:
        answers = self.ledger.answers
        fails = np.fromiter(answers.values(), dtype=bool, count=len(answers))
        queried = self.ledger.asked
        first = self.threshold.learn(queried, fails)
        if not len(fails) or fails.all() or not fails.any():
            # Verdicts of one kind teach no classifier.
            return first
        shares = neighbour_shares(self.features.neighbours, queried, fails)
        # On the scale of the other features: standard scores.
        values = np.column_stack([self.features.values, (shares - shares.mean()) / (shares.std() + 1e-9)])
        near = self.process.learn(values, queried, self._targets(fails), -np.abs(self.probability[queried] - 0.5))
        far = self.verdicts.learn(values[:, self.rank_normalised], queried, fails)
        weight = len(fails) / (len(fails) + _EVEN_AT)
        learnt = (1 - _SHARE_OF_CLASSIFIERS) * _log_odds(near) + _SHARE_OF_CLASSIFIERS * _log_odds(far)
        found: np.ndarray = first + weight * (expit(learnt) - first)
        return found

    def choose(self, n: int, explore_share: float) -> Int[np.ndarray, " n"]:
        """The open tokens nearest to the cut (in log-odds), and some of the spread order: that share of all rounds."""
        places = self.open
        is_open = np.zeros(self.view.n, dtype=bool)
        is_open[places] = True
        spread = self.spread[is_open[self.spread]]
        n_spread = int(explore_share * n + self.rng.random())
        n_known = len(self.ledger.hits)
        cut, _ = best_cut(self.probability[places], n_known)
        odds = _log_odds(self.probability[places])
        centre = _log_odds(np.array([cut]))[0]
        nearest = places[np.argsort(np.abs(odds - centre), kind="stable")][: max(0, n - n_spread)]
        return np.concatenate([nearest, spread[~np.isin(spread, nearest)][: n - len(nearest)]])

    def settle(self) -> None:
        """Ask failing tokens in further wordings, most doubtful first.

        What is spent on it is the share that these tokens have in all the mistakes that are expected now.
        """
        tokens = self.ledger.unsettled
        if self.uses_margins:
            _, real = self._chance_to_last(np.array([self._margin(token) for token in tokens]))
        else:
            real = self.probability[self.view.place[tokens]] if tokens else np.empty(0)
        order = [tokens[place] for place in np.argsort(real, kind="stable") if real[place] < _SURE]
        among_failing, before = float((1 - real).sum()), self.ledger.tokens_processed
        share = among_failing / (among_failing + self._expected_mistakes() + 1e-9)
        budget = share * before - self.settling
        self.ledger.look_again(order, budget)
        self.settling += self.ledger.tokens_processed - before

    def _expected_mistakes(self) -> float:
        """How many open tokens would be reported wrongly, or missed, if this were the end."""
        probability = self.probability[self.open]
        cut, _ = best_cut(probability, len(self.ledger.hits))
        return float(np.where(probability > cut, 1 - probability, probability).sum())

    def _margin(self, token: int) -> float:
        return self.ledger.margins.get(token, np.nan)

    def _chance_to_last(self, margins: Float[np.ndarray, " n"]) -> tuple[float, Float[np.ndarray, " n"]]:
        """Where failing two wordings begins to mean failing the others (logits), and P(fails them) at these margins."""
        answers = self.ledger.answers
        settled = [token for token in self.ledger.settled if np.isfinite(self._margin(token))]
        seen = -np.array([self._margin(token) for token in settled])
        fails = np.array([answers[token] for token in settled], dtype=bool)
        grid = np.linspace(-1.5, 1.0, 101)
        known = np.where(np.isfinite(margins), margins, -np.inf)
        _, found = average_curves(np.concatenate([-grid, -known]), seen, fails, -_BOUNDARIES, _STEEPNESSES)
        below = grid[found[: len(grid)] >= 0.5]
        return float(below.max()) if len(below) else float(grid[0]), found[len(grid) :]

    def _targets(self, fails: Bool[np.ndarray, " queried"]) -> Float[np.ndarray, " queried"]:
        if not self.uses_margins:
            return targets(None, fails)
        margins = np.array([self._margin(token) for token in self.ledger.answers])
        boundary, _ = self._chance_to_last(np.empty(0))
        return targets(margins, fails, min(0.0, boundary) if self.ledger.settled else 0.0)


def _log_odds(probability: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    found: np.ndarray = logit(np.clip(probability, _EDGE, 1 - _EDGE))
    return found
