"""Which wordings a query asks in, what they say together, and the steps of a budget."""

import numpy as np
import pytest

from harness.glitch.census.calibration import Trial
from harness.glitch.census.families import WordingFamily
from harness.glitch.census.ladder import Ladder, WordingAnswers
from harness.glitch.census.verdict import Calibration
from harness.glitch.census.wordings import Wording
from harness.glitch.detectors.querying import (
    budget_steps,
    fails_and_margins,
    find_query,
    further_wordings,
    order_of_asking,
)

pytestmark = pytest.mark.unit

ASKED, ECHOED, COPIED = WordingFamily.ASKED, WordingFamily.ECHOED, WordingFamily.COPIED


def wording(name, family):
    return Wording(name, family, None)


def answers(ids, passed, margin, n_positions=0):
    ids = np.array(ids, dtype=np.int64)
    return WordingAnswers(
        ids, np.array(passed, dtype=bool), np.array(margin, dtype=float), ((),) * len(ids), n_positions
    )


def test_the_second_wording_is_the_cheapest_of_another_family():
    a, b, c, d = wording("a", ECHOED), wording("b", ECHOED), wording("c", ASKED), wording("d", ASKED)
    assert [one.name for one in order_of_asking([a, b, c, d])] == ["a", "c", "b", "d"]
    assert [one.name for one in order_of_asking([a, b])] == ["a", "b"]
    assert order_of_asking([]) == ()


def test_copying_comes_second_however_cheap_it_is():
    copying, a, b = wording("copied_1", COPIED), wording("a", ECHOED), wording("b", ECHOED)
    assert [one.name for one in order_of_asking([copying, a, b])] == ["a", "copied_1", "b"]
    assert [one.name for one in order_of_asking([a, b, copying])] == ["a", "copied_1", "b"]


def test_a_token_fails_that_passes_no_wording_and_the_better_margin_counts():
    first = answers([3, 5, 9], [True, False, False], [2.0, -1.0, -4.0])
    second = answers([5, 9], [True, False], [0.5, np.nan])
    fails, margin = fails_and_margins(np.array([3, 5, 9, 11]), [first, second])
    assert fails.tolist() == [False, False, True, True]
    assert margin[:3].tolist() == [2.0, 0.5, -4.0]
    assert np.isnan(margin[3])


class PlannedLadder(Ladder):
    """Wordings with a least price, the price a trial finds, and whether they count."""

    def __init__(self, plan):
        self.plan = plan
        self.wordings = tuple(wording(name, family) for name, (family, *_) in plan.items())
        self.tried = []

    def least_positions(self, one):
        return self.plan[one.name][1]

    def most_positions(self, one):
        return 30

    def try_on_known(self, one):
        self.tried.append(one.name)
        _, _, price, counts = self.plan[one.name]
        known = answers(range(10), [counts] * 10, [0.0] * 10, round(10 * price))
        return Trial(one, Calibration(one.name, 10 * counts, 10, "here"), known, 0)


class TestFindQuery:
    def test_what_cannot_be_cheaper_is_not_tried(self):
        ladder = PlannedLadder({
            "long": (ASKED, 40, 45, True), "echo": (ECHOED, 8, 12, True), "short": (ASKED, 9, 15, True),
            "longer echo": (ECHOED, 20, 22, True),
        })  # fmt: skip
        query = find_query(ladder, ladder.try_on_known)
        assert [one.name for one in query.wordings] == ["echo", "short"]
        assert ladder.tried == ["echo", "short"]
        assert (query.price.usual, query.price.most, query.n_positions) == (12, 60, 270)

    def test_a_short_prompt_may_have_long_answers(self):
        ladder = PlannedLadder({"a": (ASKED, 5, 30, True), "b": (ASKED, 20, 21, True), "echo": (ECHOED, 6, 25, True)})
        query = find_query(ladder, ladder.try_on_known)
        assert [one.name for one in query.wordings] == ["b", "echo"]
        assert query.price.usual == 21

    def test_one_family_is_looked_through_to_its_end(self):
        ladder = PlannedLadder({"a": (ASKED, 5, 9, True), "b": (ASKED, 20, 21, True), "echo": (ECHOED, 60, 61, False)})
        query = find_query(ladder, ladder.try_on_known)
        assert [one.name for one in query.wordings] == ["a", "b"]
        assert sorted(ladder.tried) == ["a", "b", "echo"]

    def test_where_one_family_counts_copying_is_the_second(self):
        ladder = PlannedLadder({
            "a": (ECHOED, 5, 9, True), "b": (ECHOED, 20, 21, True), "asked": (ASKED, 60, 61, False),
            "copied_1": (COPIED, None, 7, True), "copied_3": (COPIED, None, 14, True),
        })  # fmt: skip
        query = find_query(ladder, ladder.try_on_known, looks_again=True)
        assert [one.name for one in query.wordings] == ["a", "copied_1"]
        assert query.price.usual == 9
        assert [one.name for one in query.further] == ["b"], "a second look never copies"
        assert [one.name for one in further_wordings(query.trials)] == ["b"]

    def test_copying_that_does_not_count_is_no_second_family(self):
        ladder = PlannedLadder({
            "a": (ECHOED, 5, 9, True), "b": (ECHOED, 20, 21, True), "copied_1": (COPIED, None, 7, False),
        })  # fmt: skip
        assert [one.name for one in find_query(ladder, ladder.try_on_known).wordings] == ["a", "b"]

    @pytest.mark.parametrize("counts", [True, False])
    def test_copying_is_not_tried_where_words_decide_or_nothing_counts(self, counts):
        ladder = PlannedLadder({
            "a": (ECHOED, 5, 9, counts), "b": (ASKED, 20, 21, counts), "copied_1": (COPIED, None, 7, True),
        })  # fmt: skip
        find_query(ladder, ladder.try_on_known, looks_again=True)
        assert "copied_1" not in ladder.tried

    def test_nothing_counts(self):
        ladder = PlannedLadder({"a": (ASKED, 5, 9, False), "echo": (ECHOED, 6, 9, False)})
        query = find_query(ladder, ladder.try_on_known)
        assert query.wordings == ()
        assert query.n_positions == 180

    @pytest.mark.parametrize("seed", range(40))
    def test_it_is_what_trying_all_would_give(self, seed):
        rng = np.random.default_rng(seed)
        plan = {}
        for number in range(7):
            least = int(rng.integers(5, 40))
            family = ASKED if rng.random() < 0.5 else ECHOED
            # Prices that differ: of equals either would do.
            plan[f"w{number}"] = (
                family,
                least,
                least + int(rng.integers(0, 20)) + number / 10,
                bool(rng.random() < 0.7),
            )
        ladder = PlannedLadder(plan)
        found = find_query(ladder, ladder.try_on_known)
        counting = sorted((one for one in ladder.wordings if plan[one.name][3]), key=lambda one: plan[one.name][2])
        assert [one.name for one in found.wordings] == [one.name for one in order_of_asking(counting)[:2]]


def test_budgets_rise_to_the_share_that_was_asked_for():
    steps = budget_steps(10_000, 0.01, least=55)
    assert steps == (62, 78, 97, 100)  # 50 pays for no query
    assert budget_steps(10_000, 0.004, least=10) == (40,)
    assert budget_steps(100, 0.1, least=30) == (10,), "too little for a query, and said so elsewhere"
