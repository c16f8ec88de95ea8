"""Learning P(glitch) of every token from verdicts alone: two kinds of classifier, averaged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression

_CHUNK = 4096


@dataclass(frozen=True)
class VerdictModel:
    """A logistic regression (linear effects, no interactions) and extremely randomised trees (the reverse). From few
    glitch tokens both generalise further than the Gaussian process, which predicts well near known answers only."""

    n_trees: int
    seed: int

    def learn(
        self,
        values: Float[np.ndarray, "token feature"],
        queried: Int[np.ndarray, " queried"],
        fails: Bool[np.ndarray, " queried"],
    ) -> Float[np.ndarray, " token"]:
        """P(glitch) of every token. `asked` are rows of `values`; both verdicts must occur among `fails`."""
        found = []
        for model in self._models():
            model.fit(values[queried], fails)
            column = list(model.classes_).index(True)
            parts = [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
            found.append(np.concatenate([model.predict_proba(part)[:, column] for part in parts]))
        mean: np.ndarray = np.mean(found, axis=0)
        return mean

    def _models(self) -> list[Any]:

        return [
            LogisticRegression(C=0.1, max_iter=1000),
            ExtraTreesClassifier(self.n_trees, min_samples_leaf=2, max_features=0.5, random_state=self.seed),
        ]
