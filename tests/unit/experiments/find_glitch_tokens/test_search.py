"""When a search ends, what is asked to confirm it, and what is expected of the rest."""

from dataclasses import dataclass

import numpy as np
import pytest

from experiments.find_glitch_tokens.search import End, Finding, search
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.view import ModelView

pytestmark = pytest.mark.unit

N = 200
TRUTH = np.arange(N) < 50
"""Fail: the first fifty; ids are 1,000 less than the rows of the embedding, so that ids and places differ."""


def view():
    rows = np.random.default_rng(0).normal(size=(N + 10, 4)).astype(np.float32)
    return ModelView(np.arange(N) + 10, rows, rows, True, ("",) * (N + 10), price=QueryPrice(2.0, 4))


def oracle(truth=TRUTH):
    """Two positions for a token that passes, four for one that fails."""
    ids = np.arange(N) + 10
    return TableOracle(
        dict(zip(ids.tolist(), truth.tolist(), strict=True)),
        tokens_per_query=dict(zip(ids.tolist(), np.where(truth, 4, 2).tolist(), strict=True)),
    )


@dataclass(frozen=True)
class Planned(Detector):
    """Asks every fifth token in turn and says what it was told to say at each step."""

    name = "planned"
    chances: tuple[np.ndarray, ...] = ()

    def reports(self, view, open_oracle, budgets, seed):
        """As `Detector.reports`."""
        ledger = Ledger(view, open_oracle(), 0)
        order = np.concatenate([np.arange(start, view.n, 5) for start in range(5)])
        for budget, chances in zip(budgets, self.chances, strict=False):
            ledger.budget = budget
            ledger.query_what_fits(view.ids[order].tolist())
            yield ledger.report(chances)


class PlannedAnew(Planned):
    """The same that can't go on."""

    goes_on = False


def chances(elsewhere, first=0.9):
    return np.where(TRUTH, first, elsewhere)


def test_what_is_expected_is_a_sum_of_probabilities():
    found = Finding(
        probability=np.array([1.0, 0.0, 0.75, 0.25, 0.1]),
        asked=np.array([True, True, False, False, False]),
        reported=np.array([True, False, True, False, False]),
        spent=9,
    )
    assert found.confirmed.tolist() == [True, False, False, False, False]
    assert found.predicted.tolist() == [False, False, True, False, False]
    assert found.expected_missed == pytest.approx(0.35)
    assert found.expected_wrong == pytest.approx(0.25)
    assert found.expected_total == pytest.approx(2.1)
    assert found.missed_share is None, "two answers promise nothing"


class TestTheStopRule:
    def test_it_ends_when_few_are_missed_twice_in_a_row(self):
        # 0.4 % of 150 is 0.6 missed; 10 % is 15.
        plan = Planned((chances(0.1), chances(0.004), chances(0.1), chances(0.004), chances(0.004), chances(0.004)))
        seen = []
        found = search(view(), plan, oracle(), (100, 120, 140, 160, 180, 200), 0.02, False, 0, seen.append)
        assert found.end is End.FEW_MISSED
        assert len(found.steps) == 5, "the second step alone was below by chance"
        assert seen == list(found.steps)
        assert found.steps[-1].spent <= 180, "the last budget was left alone"

    def test_null_spends_the_budget(self):
        plan = Planned((chances(0.004),) * 3)
        found = search(view(), plan, oracle(), (100, 120, 140), None, False, 0)
        assert (found.end, len(found.steps), found.n_confirming) == (End.BUDGET, 3, 0)

    def test_few_answers_promise_nothing(self):
        found = search(view(), Planned((chances(0.0),) * 3), oracle(), (20, 30, 40), 0.02, False, 0)
        assert found.steps[-1].asked.sum() < 30
        assert found.end is End.BUDGET

    def test_answers_of_one_kind_promise_nothing(self):
        none = np.zeros(N, dtype=bool)
        found = search(view(), Planned((chances(0.0, 0.0),) * 3), oracle(none), (100, 120, 140), 0.02, False, 0)
        assert found.end is End.BUDGET
        assert found.steps[-1].missed_share is None

    def test_a_detector_that_begins_anew_gets_the_whole_budget(self):
        found = search(view(), PlannedAnew((chances(0.004),)), oracle(), (100, 120, 140), 0.02, False, 0)
        assert len(found.steps) == 1
        assert 136 < found.steps[0].spent <= 140

    def test_every_token_may_be_asked(self):
        found = search(view(), Planned((chances(0.1),) * 2), oracle(), (600, 700), None, True, 0)
        assert found.end is End.ALL_ASKED
        assert np.array_equal(found.steps[-1].reported, TRUTH)


class TestConfirmation:
    def plan(self):
        """Right about all but the last ten tokens, which it believes to fail, the more the later."""
        said = chances(0.001, 0.95)
        said[-10:] = np.linspace(0.55, 0.9, 10)
        return Planned((said, said))

    def test_what_passes_is_taken_off_the_list_and_the_most_doubtful_are_asked_first(self):
        asked = oracle()
        found = search(view(), self.plan(), asked, (150, 170), None, True, 0)
        assert found.n_confirming == 0, "the search spent it all"
        asked = oracle()
        found = search(view(), self.plan(), asked, (150, 170, 190), 0.02, True, 0)
        before, after = found.steps[-2:]
        assert found.end is End.FEW_MISSED
        order = list(asked.answers)[-found.n_confirming :]
        doubts = [abs(before.probability[token - 10] - 0.5) for token in order]
        assert doubts == sorted(doubts)
        assert found.n_confirming == (~before.asked & after.asked).sum() > 4
        assert after.spent <= 190
        assert after.spent - before.spent == sum(4 if TRUTH[token - 10] else 2 for token in order)
        off = before.reported & ~after.reported
        assert off.any()
        assert not TRUTH[off].any()
        assert (after.probability[off] == 0).all()
        assert after.expected_missed == before.expected_missed

    def test_all_are_asked_where_the_budget_has_room(self):
        # A grid whose third step alone is large: what the search leaves pays for all predicted tokens.
        found = search(view(), self.plan(), oracle(), (150, 170, 900), 0.02, True, 0)
        last = found.steps[-1]
        assert not last.predicted.any()
        assert not (last.confirmed & ~TRUTH).any()

    def test_a_verdict_of_the_detectors_own_is_no_confirmation(self):
        class Own(Planned):
            def reports(self, view, open_oracle, budgets, seed):
                ledger = Ledger(view, open_oracle(), budgets[-1])
                ledger.pay_passes(10)
                ledger.judge(10, True)
                ledger.judge(210 - 1, True)
                yield ledger.report(np.zeros(view.n))

        found = search(view(), Own(), oracle(), (100,), None, False, 0)
        assert found.steps[0].predicted.nonzero()[0].tolist() == [0, N - 1]
        assert found.steps[0].spent == 10
        confirmed = search(view(), Own(), oracle(), (100,), None, True, 0).steps[-1]
        assert confirmed.confirmed.nonzero()[0].tolist() == [0]
        assert confirmed.spent == 10 + 4 + 2
