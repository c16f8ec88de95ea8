"""What a ledger lets through, charges and reports."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RunFailed
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import BudgetSpent, MemoOracle, QueryOracle, TableOracle
from harness.glitch.detectors.price import QueryPrice
from tests.helpers.planted_tokens import oracle_of, planted_view

pytestmark = pytest.mark.unit

PRICE = QueryPrice(2.0, 5)
"""Of a token that passes, of one that fails."""
TRUTH = np.array([True, False, False, True, False, False, False, True])


def ledger_of(budget, truth=TRUTH, price=PRICE, margins=None):
    view, _ = planted_view(len(truth), price=price)
    return Ledger(view, oracle_of(truth, price, margins), budget)


def test_a_query_is_admitted_only_where_its_dearest_answer_fits():
    ledger = ledger_of(14)
    assert isinstance(ledger, QueryOracle)
    # 5, then 2 and 2 leave 5: the next may cost that and does; nothing is left of it.
    with pytest.raises(BudgetSpent, match="budget of 14 positions is spent \\(4 tokens asked\\)"):
        ledger.query([0, 1, 2, 3, 4])
    assert dict(ledger.answers) == {0: True, 1: False, 2: False, 3: True}
    assert (ledger.tokens_processed, ledger.left, ledger.n_queries) == (14, 0, 4)
    # With one less, what is left does not cover token 3, though a passing token would fit.
    ledger = ledger_of(13)
    assert ledger.query_what_fits([0, 1, 2, 3, 4]) == [0, 1, 2]
    assert (ledger.tokens_processed, ledger.left, ledger.n_affordable) == (9, 4, 0)


def test_what_was_asked_is_free_and_a_raised_budget_goes_on():
    ledger = ledger_of(5)
    assert ledger.query_what_fits([1, 0]) == [1]
    assert ledger.query([1, 1]) == [False, False]
    assert ledger.tokens_processed == 2
    assert ledger.query_what_fits([0, 1]) == [1], "in the order of what was wanted, known ones included"
    ledger.budget = 7
    assert ledger.query([0, 1]) == [True, False]
    assert ledger.hits == [0]
    assert ledger.asked.tolist() == [1, 0]


def test_without_a_budget_everything_fits():
    ledger = ledger_of(None)
    assert ledger.n_affordable == 8
    assert ledger.query(range(8)) == TRUTH.tolist()
    assert (ledger.tokens_processed, ledger.n_affordable) == (3 * 5 + 5 * 2, 0)
    ledger.pay_passes(10**9)


def test_as_many_are_affordable_as_would_fit_if_all_passed():
    assert [ledger_of(budget).n_affordable for budget in (0, 4, 5, 7, 8, 15, 16, 100)] == [0, 0, 2, 3, 4, 7, 8, 8]


def test_passes_are_charged_and_never_beyond_the_budget():
    ledger = ledger_of(14)
    ledger.pay_passes(9)
    assert ledger.query_what_fits([0, 1]) == [0]
    with pytest.raises(BudgetSpent, match="does not cover 1 more"):
        ledger.pay_passes(1)
    found = ledger.report(np.zeros(8))
    assert (found.spent, found.spent_on_passes) == (14, 9)


def test_what_others_asked_of_the_same_oracle_is_not_charged():
    view, _ = planted_view(8, price=PRICE)
    oracle = oracle_of(TRUTH, PRICE)
    oracle.query([0, 1])
    ledger = Ledger(view, oracle, 5)
    assert (ledger.tokens_processed, ledger.n_queries) == (0, 0)
    ledger.query([3])
    assert (ledger.tokens_processed, ledger.left) == (5, 0)


def test_margins_are_those_of_tokens_asked():
    ledger = ledger_of(7, margins=np.arange(8) - 3.5)
    ledger.query_what_fits([1, 0, 2])
    assert dict(ledger.margins) == {1: -2.5, 0: -3.5}


def test_a_detectors_own_verdicts_cost_what_it_pays_for_them():
    ledger = ledger_of(10)
    ledger.pay_passes(4)
    ledger.judge(2, True)
    ledger.judge(2, False)
    assert (dict(ledger.answers), ledger.tokens_processed) == ({2: True}, 4), "the first verdict stands"
    assert ledger.query([2]) == [True]


def test_a_report_says_what_was_asked_and_a_chance_of_everything_else():
    ledger = ledger_of(14)
    ledger.query([7, 1, 2])
    scores = np.array([2.0, 1.0, 2.0, 8.0, 0.5, np.nan, 1.5, 3.0])
    found = ledger.report_scores(scores)
    assert found.asked.tolist() == [7, 1, 2]
    assert found.fails.tolist() == [True, False, False]
    # Passes up to score 2, a failure at 3.
    assert found.probability.tolist() == [0, 0, 0, 1, 0, 0, 0, 1]
    assert found.predicted.tolist() == [3, 7]
    # Verdicts win over what the detector believes of its own tokens.
    believed = ledger.report(np.full(8, 0.9))
    assert believed.probability.tolist() == [0.9, 0, 0, 0.9, 0.9, 0.9, 0.9, 1]
    assert believed.predicted.tolist() == [0, 3, 4, 5, 6, 7]


def test_ids_of_a_view_need_not_be_its_places():
    view, _ = planted_view(8, price=PRICE)
    some = replace(view, ids=np.array([1, 3, 6, 7]))
    ledger = Ledger(some, oracle_of(TRUTH, PRICE), None)
    ledger.query([7, 6])
    assert ledger.asked.tolist() == [3, 2]
    found = ledger.report(np.array([0.0, 0.95, 0.5, 0.5]))
    assert found.asked.tolist() == [7, 6]
    assert found.predicted.tolist() == [3, 7]
    assert ledger.n_affordable == 2


@given(
    truth=st.lists(st.booleans(), min_size=1, max_size=25),
    usual=st.integers(1, 4),
    more=st.integers(0, 5),
    budget=st.integers(0, 80),
    seed=st.integers(0, 3),
)
def test_it_asks_as_one_would_token_by_token(truth, usual, more, budget, seed):
    price = QueryPrice(float(usual), usual + more)
    order = np.random.default_rng(seed).permutation(len(truth)).tolist()
    ledger = ledger_of(budget, np.array(truth), price)
    expected, left = [], budget
    for token in order:
        if left < price.most:
            break
        expected.append(token)
        left -= price.most if truth[token] else usual
    assert ledger.query_what_fits(order) == expected
    assert ledger.left == left >= 0


def test_a_negative_budget_is_refused():
    with pytest.raises(ValueError, match="budget of -1 positions"):
        ledger_of(-1)


class TestSecondLooks:
    TABLE = {1: True, 2: True, 3: False, 4: True}  # noqa: RUF012

    def ledger(self, budget, settling=10):
        view, _ = planted_view(20, price=QueryPrice(2.0, 3, settling))
        oracle = TableOracle(
            {i: self.TABLE.get(i, False) for i in range(20)}, tokens_per_query=3,
            settled={i: i in (1, 4) for i in range(20)}, settling=dict.fromkeys(range(20), settling),
        )  # fmt: skip
        return Ledger(view, oracle, budget)

    def test_what_passes_in_a_further_wording_no_longer_fails(self):
        ledger = self.ledger(100)
        ledger.query([1, 2, 3])
        assert ledger.unsettled == [1, 2]
        assert ledger.settle([2, 1]) == [False, True]
        assert (dict(ledger.answers), ledger.hits, ledger.unsettled) == ({1: True, 2: False, 3: False}, [1], [])
        assert ledger.tokens_processed == 3 * 3 + 2 * 10
        assert ledger.report(np.zeros(20)).predicted.tolist() == [1]
        assert ledger.query([2]) == [False], "the later verdict holds"

    def test_looking_again_ends_with_its_own_budget_and_with_that_of_all(self):
        ledger = self.ledger(100)
        ledger.query([1, 2, 4])
        ledger.look_again([1, 2, 4], 15.0)
        assert ledger.settled == {1, 2}, "the second one goes over by half"
        ledger.look_again([4], 4.0)
        assert ledger.settled == {1, 2}
        short = self.ledger(9 + 10 + 9)
        short.query([1, 2, 4])
        short.look_again([1, 2, 4], 1000.0)
        assert short.settled == {1}
        with pytest.raises(BudgetSpent, match="second look"):
            short.settle([2])

    def test_without_further_wordings_there_is_nothing_to_look_at(self):
        ledger = self.ledger(100, settling=0)
        ledger.query([1, 2])
        ledger.look_again([1, 2], 1000.0)
        assert (ledger.settled, ledger.hits) == (frozenset(), [1, 2])

    def test_final_verdicts_refuse_it(self):
        class Final(MemoOracle):
            def _answer(self, ids):
                return [True] * len(ids), 0

        with pytest.raises(RunFailed, match="final"):
            Final().settle([1])
