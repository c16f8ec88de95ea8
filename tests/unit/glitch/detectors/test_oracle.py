"""What an oracle answers, remembers and charges."""

import pytest

from harness.errors import RunFailed
from harness.glitch.detectors.oracle import BudgetSpent, QueryOracle, TableOracle

pytestmark = pytest.mark.unit

TABLE = {1: True, 2: False, 3: True, 4: False}


def test_answers_come_in_the_order_asked_and_repeats_are_free():
    oracle = TableOracle(TABLE, queries_per_token=3, tokens_per_query=10)
    assert isinstance(oracle, QueryOracle)
    assert oracle.query([3, 2, 3]) == [True, False, True]
    assert (oracle.n_queries, oracle.tokens_processed) == (6, 60)
    assert oracle.query([2, 1]) == [False, True]
    assert (oracle.n_queries, oracle.tokens_processed) == (9, 90)
    assert list(oracle.answers.items()) == [(3, True), (2, False), (1, True)]
    assert oracle.query([]) == []


def test_a_budget_answers_what_it_covers_and_then_says_so():
    oracle = TableOracle(TABLE, queries_per_token=2, budget=5)
    with pytest.raises(BudgetSpent, match="budget of 5 queries"):
        oracle.query([1, 2, 3])
    assert dict(oracle.answers) == {1: True, 2: False}
    assert oracle.n_queries == 4
    assert oracle.query([2, 1]) == [False, True], "what is known stays free"
    with pytest.raises(BudgetSpent):
        oracle.query([4])


def test_a_token_that_was_never_tested_has_no_verdict():
    with pytest.raises(RunFailed, match="id 9"):
        TableOracle(TABLE).query([1, 9])


@pytest.mark.parametrize(("prompts", "budget"), [(0, None), (1, -1)])
def test_impossible_prices_are_refused(prompts, budget):
    with pytest.raises(ValueError, match="queries per token"):
        TableOracle(TABLE, prompts, budget=budget)
