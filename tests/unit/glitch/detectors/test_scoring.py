"""Scores of a detection, by hand."""

import numpy as np
import pytest

from harness.glitch.detectors._expected_f1 import best_cut
from harness.glitch.detectors.frequent_words import count_words, frequent_words
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import BudgetSpent
from harness.glitch.detectors.scoring import confusion, ideal_curve, recall_auc, recall_curve, roc_auc, roc_curve
from tests.helpers.planted_tokens import oracle_of, planted_view

pytestmark = pytest.mark.unit


def mask(*bits):
    return np.array(bits, dtype=bool)


def test_precision_recall_and_f1():
    counts = confusion(mask(1, 1, 1, 0, 0), mask(1, 1, 0, 1, 0))
    assert (counts.hits, counts.false_alarms, counts.missed) == (2, 1, 1)
    assert counts.precision == counts.recall == counts.f1 == pytest.approx(2 / 3)


def test_nothing_reported_and_nothing_there():
    assert confusion(mask(0, 0), mask(1, 0)).precision is None
    assert confusion(mask(0, 0), mask(1, 0)).f1 == 0
    nothing = confusion(mask(1, 0), mask(0, 0))
    assert (nothing.precision, nothing.recall, nothing.f1) == (0.0, None, None)


def test_roc_area_counts_pairs():
    scores = np.array([3.0, 2.0, 2.0, 1.0])
    # Pairs (glitch, other): 3>2 and 3>1 and 2=2 and 2>1.
    assert roc_auc(scores, mask(1, 1, 0, 0)) == pytest.approx(3.5 / 4)
    assert roc_auc(scores, mask(0, 0, 0, 0)) is None
    grid = np.linspace(0, 1, 2001)
    area = np.trapezoid(roc_curve(scores, mask(1, 1, 0, 0), grid), grid)
    assert area == pytest.approx(3.5 / 4, abs=1e-3)
    assert np.isnan(roc_curve(scores, mask(1, 1, 1, 1), grid)).all()


def test_recall_grows_with_what_was_paid():
    curve = recall_curve(np.array([2, 4, 6]), mask(1, 0, 1), 4, [0, 1, 2, 3, 6, 9])
    assert curve.tolist() == [0, 0, 0.25, 0.25, 0.5, 0.5]
    ideal = ideal_curve(4, 2, [0, 2, 4, 6, 8, 10])
    assert ideal.tolist() == [0, 0.25, 0.5, 0.75, 1, 1]
    assert recall_auc(ideal, ideal, [0, 2, 4, 6, 8, 10]) == 1.0
    assert recall_auc(ideal / 2, ideal, [0, 2, 4, 6, 8, 10]) == 0.5
    assert np.isnan(recall_curve(np.array([1]), mask(0), 0, [0, 1])).all()


def test_the_cut_with_the_highest_expected_f1():
    # Reporting k of these: 2 * (1, 1.9, 2.0, 2.05) / (k + 2.05).
    cut, expected = best_cut(np.array([0.1, 0.9, 1.0, 0.05]), 0)
    assert expected == pytest.approx(2 * 1.9 / (2 + 2.05))
    assert cut == pytest.approx(0.5)
    assert best_cut(np.array([0.001, 0.001]), 100)[0] == 1.0, "certain hits are not risked for unlikely ones"


def test_a_ledger_answers_what_it_can_pay_for():
    view, truth = planted_view(20, price=2)
    ledger = Ledger(view, oracle_of(truth, 2), 7)
    ledger.pay_passes(1, 50)
    with pytest.raises(BudgetSpent, match="3 tokens were asked"):
        ledger.query([5, 5, 6, 7, 8])
    assert list(ledger.answers) == [5, 6, 7]
    assert (ledger.n_queries, ledger.left, ledger.tokens_left) == (7, 0, 0)
    assert ledger.query([6, 5]) == [bool(truth[6]), bool(truth[5])]
    assert ledger.query_what_fits([9, 6]) == [6]
    with pytest.raises(BudgetSpent):
        ledger.pay_passes(1, 1)
    ledger.pay_beyond(3, 30)
    found = ledger.result(np.linspace(0, 1, 20))
    assert found.spent_after.tolist() == [3, 5, 7]
    assert (found.n_queries, found.n_passes, found.n_passes_beyond) == (7, 1, 3)
    assert found.tokens_processed == 50 + 30 + 6 * 7
    ends = found.scores[[5, 6, 7]]
    assert set(ends) <= {2.0, -1.0}
    with pytest.raises(ValueError, match="budget of -1"):
        Ledger(view, oracle_of(truth), -1)


def test_frequent_words_come_from_comments_and_strings():
    counts = count_words(["# the cat\nimport spam\nx = 'the dog'\n", "def broken(:\n'''"])
    assert counts["the"] == 2
    assert counts["dog"] == 1
    assert "spam" not in counts
    assert frequent_words()[:2] == ("the", "to")
    assert len(frequent_words()) == len(set(frequent_words())) == 2000
