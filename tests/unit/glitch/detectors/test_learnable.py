"""What can be learnt of a token's verdict from all others: the planted case, and nothing where there is nothing."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.detectors.learnable import predict_from_others
from tests.helpers.planted_tokens import planted_view

pytestmark = pytest.mark.unit

SETTINGS = ActiveCensus(n_components=4, n_neighbours=8, n_trees=20)


def test_a_verdict_that_weights_show_is_learnt():
    view, truth = planted_view(300, 0.2)
    glitch = np.array([truth[token] for token in view.ids.tolist()])
    found = predict_from_others(view, glitch, SETTINGS, 0)
    assert found is not None
    assert average_precision_score(glitch, found) > 0.95


def test_a_verdict_by_chance_is_not_and_its_own_is_never_seen():
    view, _ = planted_view(300, 0.2)
    # Another seed than the rows were drawn with: the same would be no chance.
    glitch = np.random.default_rng(7).random(view.n) < 0.3
    found = predict_from_others(view, glitch, SETTINGS, 0)
    assert found is not None
    assert roc_auc_score(glitch, found) < 0.65


@pytest.mark.parametrize("n_glitch", [0, 9, 291, 300])
def test_too_few_of_one_kind_teach_nothing(n_glitch):
    view, _ = planted_view(300, 0.2)
    assert predict_from_others(view, np.arange(view.n) < n_glitch, SETTINGS, 0) is None
