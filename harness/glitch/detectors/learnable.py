"""How much of a ground truth can be learnt from weights and tokenizer: every token predicted from those of others.

A detector that learns from some verdicts can hardly predict better than one that knows nine tenths of them: what it is
ahead of this comes from asking the doubtful tokens themselves.
"""

import numpy as np
from jaxtyping import Bool, Float
from sklearn.model_selection import StratifiedKFold

from harness.glitch.detectors._features import build_features
from harness.glitch.detectors._verdict_model import VerdictModel
from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.detectors.view import ModelView

_FOLDS = 10


def predict_from_others(
    view: ModelView, glitch: Bool[np.ndarray, " token"], settings: ActiveCensus, seed: int
) -> Float[np.ndarray, " token"] | None:
    """P(glitch) of every token by the features and classifiers of `active_census`, learnt from the verdicts on nine
    tenths of the tokens that it is not among (stratified tenfold cross-validation; `seed` varies folds and trees).

    None where fewer than ten tokens are of one kind.
    """
    if min(glitch.sum(), (~glitch).sum()) < _FOLDS:
        return None
    values = build_features(view, settings.n_components, settings.n_neighbours).values
    model = VerdictModel(settings.n_trees, seed)
    found = np.zeros(view.n)
    for learnt_from, held_out in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(values, glitch):
        found[held_out] = model.learn(values, learnt_from, glitch[learnt_from])[held_out]
    return found
