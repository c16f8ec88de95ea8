"""Scores of a detection, by hand."""

import numpy as np
import pytest

from harness.glitch.detectors.frequent_words import count_words, frequent_words
from harness.glitch.detectors.scoring import confusion, roc_auc, roc_curve

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


def test_frequent_words_come_from_comments_and_strings():
    counts = count_words(["# the cat\nimport spam\nx = 'the dog'\n", "def broken(:\n'''"])
    assert counts["the"] == 2
    assert counts["dog"] == 1
    assert "spam" not in counts
    assert frequent_words()[:2] == ("the", "to")
    assert len(frequent_words()) == len(set(frequent_words())) == 2000
