"""Numbers of a report by hand, with what is planted in it: confirmed tokens that pass elsewhere, broken promises."""

import numpy as np
import pytest

from experiments.detectors.metrics import (
    Comparison,
    Reports,
    _leads,
    _learnable_metrics,
    _over_seeds,
    _promises,
    budget_key,
)
from experiments.detectors.scores import score_report
from experiments.detectors.truth import Truth
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.indicators import UnusedIds

pytestmark = pytest.mark.unit

#        asked and failed | asked, passed | not asked
GLITCH = [1, 1, 0, 0, 1, 1, 0, 0, 1, 0]
ASKED = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
FAILS = [1, 1, 1,           0,              0, 0, 0, 0, 0, 0]  # fmt: skip
"""The third fails the query's two wordings and passes another one."""
PREDICTED = [1, 1, 1, 0, 1, 1, 1, 0, 0, 0]
PROBABILITY = [1, 1, 1, 0, 0.9, 0.8, 0.7, 0.2, 0.1, 0.0]


def truth_of(glitch):
    n = len(glitch)
    mask = np.array(glitch, dtype=bool)
    return Truth(
        np.arange(n),
        mask,
        mask,
        np.full(n, np.nan),
        np.full(n, 10),
        mask,
        np.zeros(n, dtype=np.int64),
        QueryPrice(10.0, 10),
        ("echo",),
        ("echoed",),
        {},
    )


def report_of(asked=ASKED, fails=FAILS, predicted=PREDICTED, probability=PROBABILITY, spent=120, spent_on_passes=20):
    masks = {"asked": asked, "fails": fails, "predicted": predicted}
    return {name: np.array(bits, dtype=np.int8) for name, bits in masks.items()} | {
        "probability": np.array(probability, dtype=np.float32),
        "spent": np.array(spent),
        "spent_on_passes": np.array(spent_on_passes),
    }


class TestScoreReport:
    @pytest.fixture
    def found(self):
        return score_report(report_of(), truth_of(GLITCH))

    def test_what_is_predicted_of_the_whole_vocabulary(self, found):
        # Reported: 6, of which 0, 1, 4 and 5 are glitch tokens; 8 is missed.
        assert (found["precision"], found["recall"]) == (pytest.approx(4 / 6), pytest.approx(4 / 5))
        assert found["f1"] == pytest.approx(8 / 11)
        assert found["predicted"] == 6

    def test_tokens_not_asked_apart(self, found):
        assert found["unasked_precision"] == found["kept"] == pytest.approx(2 / 3)
        assert found["unasked_recall"] == pytest.approx(2 / 3)

    def test_what_is_confirmed(self, found):
        assert (found["asked"], found["confirmed"]) == (4, 3)
        assert found["confirmed_precision"] == pytest.approx(2 / 3), "one of them passes another wording"
        assert found["confirmed_recall"] == pytest.approx(2 / 5)
        assert found["positions_per_confirmed"] == 60
        assert (found["spent"], found["spent_on_passes"]) == (120, 20)

    def test_average_precision(self, found):
        # Down the ranks: 3 at probability 1 with 2 hits, then hits at 4 and 5, and the last at 8.
        expected = (2 / 5) * (2 / 3) + (1 / 5) * (3 / 4) + (1 / 5) * (4 / 5) + (1 / 5) * (5 / 8)
        assert found["average_precision"] == pytest.approx(expected)

    def test_a_broken_promise_shows(self):
        """The same report of another truth: promised as before, kept by none."""
        kept = score_report(report_of(), truth_of([1, 1, 0, 0, 1, 1, 1, 0, 1, 0]))
        broken = score_report(report_of(), truth_of([1, 1, 0, 0, 0, 0, 0, 1, 1, 1]))
        assert kept["promised"] == broken["promised"] == pytest.approx(0.8)
        assert (kept["kept"], broken["kept"]) == (1.0, 0.0)

    def test_nothing_reported_unasked_promises_nothing(self):
        found = score_report(report_of(predicted=FAILS), truth_of(GLITCH))
        assert found["promised"] is found["kept"] is found["unasked_precision"] is None
        assert found["unasked_recall"] == 0
        assert found["recall"] == found["confirmed_recall"]

    def test_without_a_glitch_token_there_is_no_recall(self):
        found = score_report(report_of(), truth_of([0] * 10))
        assert (found["recall"], found["f1"], found["average_precision"]) == (None, None, None)
        assert found["positions_per_confirmed"] is None
        assert (found["precision"], found["confirmed_precision"]) == (0, 0)


class TestOverSeeds:
    def test_a_mean_with_its_interval_kept_inside_shares(self):
        found = _over_seeds("x/at_1/f1", [0.9, 1.0])
        assert found["x/at_1/f1"] == pytest.approx(0.95)
        assert found["x/at_1/f1/ci_low"] < 0.95 < found["x/at_1/f1/ci_high"] == 1.0
        assert _over_seeds("x/at_1/f1_lead", [0.9, 1.0])["x/at_1/f1_lead/ci_high"] > 1

    def test_one_run_has_no_interval(self):
        assert _over_seeds("x/f1", [0.5]) == {"x/f1": 0.5, "x/f1/ci_low": None, "x/f1/ci_high": None}

    def test_a_value_that_one_seed_lacks_has_no_mean(self):
        assert set(_over_seeds("x/kept", [1.0, None]).values()) == {None}


class TestLeads:
    @staticmethod
    def leads(f1):
        """From F1 of each seed at 1 %, by detector."""
        truth = truth_of(GLITCH)
        bounded = {name: Reports({"spent": np.zeros((len(values), 1))}) for name, values in f1.items()}
        found = Comparison(truth.ids, None, {}, truth, UnusedIds((), "none"), 100, (0.01,), bounded)
        return _leads(found, {(name, 0.01): [{"f1": value} for value in values] for name, values in f1.items()})

    def test_differences_to_the_best_other_are_taken_seed_by_seed(self):
        found = self.leads({"random": [0.5, 0.7], "cosine": [0.8, 0.6], "active_census": [0.9, 0.9]})
        key = budget_key(0.01)
        assert key == "at_1"
        assert found["best_other/at_1"] == "cosine"
        assert found["best_other/at_1/f1"] == pytest.approx(0.7)
        # 0.1 and 0.3: a mean of 0.2 and a standard error of 0.1, times the quantile of one degree of freedom.
        assert found["active_census/at_1/f1_lead"] == pytest.approx(0.2)
        assert found["active_census/at_1/f1_lead/ci_low"] == pytest.approx(0.2 - 12.706 * 0.1, abs=1e-3)
        assert not any(name.startswith(("random", "cosine")) for name in found), "only ours lead"

    def test_a_best_other_that_runs_once_is_compared_with_its_only_value(self):
        found = self.leads({"magikarp": [0.8], "random": [0.1, 0.2], "active_census_verdicts": [0.7, 0.9]})
        assert found["best_other/at_1"] == "magikarp"
        assert found["best_other/at_1/f1/ci_low"] is None
        assert found["active_census_verdicts/at_1/f1_lead"] == pytest.approx(0.0)
        assert found["active_census_verdicts/at_1/f1_lead/ci_high"] == pytest.approx(12.706 * 0.1, abs=1e-3)

    def test_one_of_ours_is_no_other(self):
        found = self.leads({"random": [0.1], "active_census": [0.9], "active_census_verdicts": [0.8]})
        assert found["best_other/at_1"] == "random"
        assert found["active_census/at_1/f1_lead"] == pytest.approx(0.8)
        assert self.leads({"active_census": [0.9]}) == {}


def test_promises_are_counted_over_tokens_not_asked():
    one = report_of()
    arrays = {name: np.stack([values])[None] for name, values in one.items()}
    comparison = Comparison(np.arange(10), None, {}, truth_of(GLITCH), UnusedIds((), "none"), 100, (0.01,))
    found = _promises(Reports(arrays), comparison)
    assert sum(item["n"] for item in found) == 6, "the four that were asked are left out"
    by_share = {round(item["promised"], 3): (item["n"], item["glitch"]) for item in found}
    # Bins end at 0.05, 0.2, 0.4, 0.6, 0.8, 0.95: float32 puts 0.8 and 0.2 above their ends.
    assert by_share == {0.0: (1, 0.0), 0.1: (1, 1.0), 0.2: (1, 0.0), 0.7: (1, 0.0), 0.85: (2, 1.0)}


class TestLearnable:
    @staticmethod
    def learnable(probability):
        truth = truth_of(GLITCH)
        found = Comparison(truth.ids, None, {}, truth, UnusedIds((), "none"), 1, (), learnable=probability)
        return _learnable_metrics(found)

    def test_f1_is_that_of_the_best_cut(self):
        # Ranked by probability the first is wrong, the others are the glitch tokens.
        order = np.where(GLITCH, 0.5, 0.1)
        order[GLITCH.index(0)] = 0.9
        n = sum(GLITCH)
        assert self.learnable(order)["learnable/f1"] == pytest.approx(2 * n / (2 * n + 1))

    def test_nothing_learnt_is_no_number(self):
        assert self.learnable(None) == {"learnable/f1": None, "learnable/average_precision": None}
