"""Probabilities held against the answers that came after them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from harness.glitch.detectors._recalibration import recalibrate

pytestmark = pytest.mark.unit

GRID = np.linspace(-6.0, 6.0, 25)


def test_without_answers_it_is_what_was_said():
    nothing = recalibrate(GRID, np.empty(0), np.empty(0, dtype=bool))
    assert nothing == pytest.approx(expit(GRID))


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (0.0, 2.5), (-1.5, 1.0), (1.0, 0.5)])
def test_the_promise_that_would_have_been_kept_is_found(shift, slope):
    rng = np.random.default_rng(0)
    said = rng.uniform(-4, 4, 20_000)
    fails = rng.random(20_000) < expit(shift + slope * said)
    assert recalibrate(GRID, said, fails) == pytest.approx(expit(shift + slope * GRID), abs=0.02)


def test_too_modest_is_sharpened_and_too_bold_is_softened():
    said = np.array([1.0, -1.0] * 20)
    kept = recalibrate(np.array([1.0]), said, said > 0)[0]
    broken = recalibrate(np.array([1.0]), said, np.arange(40) % 4 < 2)[0]
    assert broken < expit(1.0) - 0.1 < expit(1.0) + 0.1 < kept


def test_one_answer_moves_little():
    assert recalibrate(np.array([0.0]), np.array([0.0]), np.array([True]))[0] == pytest.approx(0.53, abs=0.02)


@settings(max_examples=50, deadline=None)
@given(
    said=arrays(np.float64, 12, elements=st.floats(-13.8, 13.8)),
    fails=arrays(bool, 12),
)
def test_the_order_of_tokens_stays(said, fails):
    found = recalibrate(GRID, said, fails)
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
