"""Learning P(glitch) of every token from a few verdicts: three kinds of classifier, averaged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.detection.features import Features

_EDGE = 1e-3
# A share of neighbours that fail needs some to speak of: one imagined neighbour at the overall share.
_PRIOR_NEIGHBOURS = 1.0
# A Gaussian process costs the cube of the verdicts it learns from; beyond this many they add little to what is near.
_MOST_FOR_PROCESS = 1000
_CHUNK = 4096


@dataclass(frozen=True)
class VerdictModel:
    """How P(glitch) is learnt. Each of the three sees all features and what a token's asked neighbours said.

    A logistic regression follows slopes and knows no corners, extremely randomised trees the other way round, and a
    Gaussian process keeps to what lies near; where they disagree, their mean is near one half and the token gets asked.
    """

    n_trees: int
    seed: int

    def learn(
        self, features: Features, asked: Int[np.ndarray, " asked"], fails: Bool[np.ndarray, " asked"]
    ) -> Float[np.ndarray, " token"]:
        """P(glitch) of every token. `asked` are places in the view; both verdicts must occur among `fails`."""
        values = np.column_stack([features.values, _neighbour_shares(features, asked, fails)])
        few = self._few(fails)
        found = []
        everything = np.arange(len(fails))
        for model, learnt in (*((model, everything) for model in self._models()), (self._process(), few)):
            model.fit(values[asked][learnt], fails[learnt])
            column = list(model.classes_).index(True)
            parts = [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
            guess = np.concatenate([model.predict_proba(part)[:, column] for part in parts])
            found.append(_for_shares(guess, float(fails[learnt].mean()), float(fails.mean())))
        return np.clip(np.mean(found, axis=0), _EDGE, 1 - _EDGE)

    def _few(self, fails: Bool[np.ndarray, " asked"]) -> Int[np.ndarray, " few"]:
        """At most so many verdicts, both kinds kept: half of them of the rarer kind, where there are that many."""
        order = np.random.default_rng([self.seed, 7]).permutation(len(fails))
        rarer = order[fails[order] == (fails.mean() < 0.5)]
        other = order[fails[order] != (fails.mean() < 0.5)]
        n_rarer = min(len(rarer), max(_MOST_FOR_PROCESS // 2, _MOST_FOR_PROCESS - len(other)))
        return np.sort(np.concatenate([rarer[:n_rarer], other[: _MOST_FOR_PROCESS - n_rarer]]))

    def _process(self) -> Any:
        from sklearn.gaussian_process import GaussianProcessClassifier
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

        smooth = ConstantKernel(4.0) * RBF(8.0) + ConstantKernel(0.1) * DotProduct(1.0)
        return GaussianProcessClassifier(smooth, optimizer=None, random_state=self.seed)

    def _models(self) -> list[Any]:
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.linear_model import LogisticRegression

        return [
            LogisticRegression(C=0.1, max_iter=1000),
            ExtraTreesClassifier(self.n_trees, min_samples_leaf=2, max_features=0.5, random_state=self.seed),
        ]


def _for_shares(guess: Float[np.ndarray, " token"], learnt: float, real: float) -> Float[np.ndarray, " token"]:
    """Probabilities learnt where a share `learnt` fails, as they are where a share `real` does (Bayes' rule)."""
    fails, passes = guess * (real / learnt), (1 - guess) * ((1 - real) / (1 - learnt))
    both: np.ndarray = fails / (fails + passes)
    return both


def _neighbour_shares(
    features: Features, asked: Int[np.ndarray, " asked"], fails: Bool[np.ndarray, " asked"]
) -> Float[np.ndarray, "token 1"]:
    """Share of each token's asked neighbours that fail, drawn to the overall share; itself never counted."""
    n = len(features.values)
    known, failed = np.zeros(n), np.zeros(n)
    known[asked], failed[asked] = 1.0, fails
    overall = float(fails.mean())
    counts = known[features.neighbours].sum(axis=1)
    hits = failed[features.neighbours].sum(axis=1)
    share = (hits + overall * _PRIOR_NEIGHBOURS) / (counts + _PRIOR_NEIGHBOURS)
    # On the scale of the other features: standard scores.
    return ((share - share.mean()) / (share.std() + 1e-9))[:, None]


def best_cut(probability: Float[np.ndarray, " open"], n_known: int) -> tuple[float, float]:
    """The cut on P(glitch) with the highest expected F1, and that F1.

    `probability` of the tokens without a verdict, `n_known` glitch tokens among those with one. Reporting the k
    likeliest gives 2 E[hits] / (reported + E[glitch tokens]).
    """
    ordered = np.sort(probability)[::-1]
    hits = n_known + np.concatenate([[0.0], np.cumsum(ordered)])
    reported = n_known + np.arange(len(ordered) + 1)
    expected = 2 * hits / np.maximum(reported + n_known + ordered.sum(), 1e-12)
    k = int(expected.argmax())
    if k == 0:
        return 1.0, float(expected[0])
    below = ordered[k] if k < len(ordered) else 0.0
    return float((ordered[k - 1] + below) / 2), float(expected[k])
