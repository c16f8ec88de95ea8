"""Numbers of exp=repair from answers written down by hand."""

import math

import numpy as np
import pytest

from experiments.repair.metrics import _harmed, _passed_share, _relative, _share, meets_aims, passes_any
from harness.measure.intervals import Interval, Method

pytestmark = pytest.mark.unit


def test_one_wording_passed_is_enough_and_none_asked_is_no_answer() -> None:
    passed = np.array([[0, 1, -1], [0, 0, 0], [-1, -1, -1], [-1, 0, -1]], dtype=np.int8)
    assert passes_any(passed).tolist() == [1, 0, -1, 0]
    assert passes_any(passed[:, :0]).tolist() == [-1] * 4


def test_a_share_leaves_out_tokens_that_were_not_asked() -> None:
    found = _share("x", np.array([1, 1, 0, -1], dtype=np.int8))
    assert found["x"] == pytest.approx(2 / 3)
    assert found["x/ci_low"] < 2 / 3 < found["x/ci_high"]
    assert _share("x", np.array([-1], dtype=np.int8)) == {"x": None, "x/ci_low": None, "x/ci_high": None}


def test_wordings_passed_is_a_mean_over_tokens_of_their_own_wordings() -> None:
    # 1 of 2, 3 of 3, and a token that could not be asked.
    passed = np.array([[1, 0, -1], [1, 1, 1], [-1, -1, -1]], dtype=np.int8)
    assert _passed_share("x", passed, seed=0)["x"] == pytest.approx(0.75)


def test_harm_is_what_fails_more_than_without_the_method() -> None:
    now = np.array([True, True, True, False, False, False, False, False])
    then = np.array([True, False, False, True, False, False, False, False])
    found = _harmed("healthy", now, then)
    assert found["healthy_failing"] == pytest.approx(3 / 8)
    assert found["healthy_harmed"] == pytest.approx(3 / 8 - 2 / 8)
    same = _harmed("healthy", then, then)
    assert same["healthy_harmed"] == 0
    assert same["healthy_failing"] == pytest.approx(2 / 8)
    assert set(_harmed("healthy", now[:0], then[:0]).values()) == {None}


def test_a_token_repaired_by_luck_is_harm_undone() -> None:
    """Planted: a method that fails where the control does not must never come out better than one that does not."""
    then = np.zeros(40, dtype=bool)
    broken = then.copy()
    broken[:6] = True
    assert _harmed("x", broken, then)["x_harmed"] == pytest.approx(0.15)
    assert _harmed("x", broken, then)["x_harmed/ci_low"] > 0


def test_nats_become_a_relative_change_of_the_perplexity() -> None:
    found = _relative(Interval(math.log(1.02), math.log(1.01), None, 5, Method.BOOTSTRAP))
    assert (found.mean, found.low, found.high) == (pytest.approx(0.02), pytest.approx(0.01), None)


@pytest.mark.parametrize(
    ("rate", "perplexity", "harmed", "meets"),
    [(0.9, 0.009, 0.004, True), (0.89, 0, 0, False), (1, 0.01, 0, False), (1, 0, 0.005, False), (1, -0.1, -0.1, True)],
)
def test_all_three_aims_have_to_be_reached(rate, perplexity, harmed, meets) -> None:
    metrics = {"m/repair_rate": rate, "m/perplexity_change": perplexity, "m/healthy_harmed": harmed}
    assert meets_aims(metrics, "m") is meets
    assert not meets_aims({**metrics, "m/healthy_harmed": None}, "m")
