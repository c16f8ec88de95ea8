"""The truth of a climb, what a query of it answers and costs: small climbs by hand."""

import numpy as np
import pytest

from experiments.detectors.truth import make_truth
from harness.glitch.census.families import WordingFamily
from harness.glitch.census.ladder import WordingAnswers
from harness.glitch.census.wordings import Wording
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.querying import order_of_asking

pytestmark = pytest.mark.unit

PLAIN, ASKED, ECHOED, LONG_ECHO = (
    Wording(name, family, None)
    for name, family in (
        ("plain", WordingFamily.ASKED), ("asked", WordingFamily.ASKED), ("echo", WordingFamily.ECHOED),
        ("long_echo", WordingFamily.ECHOED),
    )
)  # fmt: skip


def answers(passed, n_positions, margins=None):
    """Of one wording; `passed` by id."""
    ids = np.array(list(passed), dtype=np.int64)
    above = np.full(len(ids), np.nan) if margins is None else np.array(margins, dtype=np.float64)
    return WordingAnswers(ids, np.array(list(passed.values()), dtype=bool), above, ((),) * len(ids), n_positions)


class TestOrderOfAsking:
    def test_the_second_is_the_cheapest_of_another_family(self):
        assert order_of_asking([PLAIN, ASKED, ECHOED, LONG_ECHO]) == (PLAIN, ECHOED, ASKED, LONG_ECHO)
        assert order_of_asking([ECHOED, LONG_ECHO, PLAIN, ASKED]) == (ECHOED, PLAIN, LONG_ECHO, ASKED)

    def test_of_one_family_the_next_cheapest_stands_in(self):
        assert order_of_asking([PLAIN, ASKED]) == (PLAIN, ASKED)
        assert order_of_asking([ECHOED]) == (ECHOED,)
        assert order_of_asking([]) == ()


class TestMakeTruth:
    USED = (PLAIN, ECHOED, ASKED)
    CLIMB = {  # noqa: RUF012
        # 10 passes at once; 11 when echoed; 12 only in the third wording; 13 and 14 never.
        "plain": [answers({14: False, 13: False, 12: False}, 33), answers({11: False, 10: True}, 17)],
        "echo": [answers({14: False, 13: False, 12: False}, 60, [-3.0, -0.5, -1.0]), answers({11: True}, 18, [2.0])],
        "asked": [answers({14: False, 13: False, 12: True}, 90), answers({}, 0)],
    }

    @pytest.fixture
    def truth(self):
        return make_truth(self.USED, self.CLIMB, {"plain": "counts"}, (ASKED,))

    def test_a_glitch_token_fails_all_and_a_query_the_first_two(self, truth):
        assert truth.ids.tolist() == [10, 11, 12, 13, 14]
        assert truth.glitch.tolist() == [False, False, False, True, True]
        assert truth.fails.tolist() == [False, False, True, True, True]
        assert truth.n_glitch == 2
        assert truth.wordings == ("plain", "echo", "asked")
        assert truth.families == ("asked", "echoed", "asked")
        assert truth.calibration == {"plain": "counts"}

    def test_a_query_costs_the_wordings_it_takes(self, truth):
        # 50 positions for 5 tokens asked plainly, 78 for 4 echoed: 19.5 each, rounded to 20. The third is left out.
        assert truth.positions.tolist() == [10, 30, 30, 30, 30]
        assert truth.price == QueryPrice(10.0, 30, 30)

    def test_a_longer_answer_costs_more(self):
        said = WordingAnswers(
            np.array([1, 2]), np.array([True, False]), np.full(2, np.nan), ((7,), (7, 8, 9)), 24
        )  # fmt: skip
        assert make_truth((PLAIN,), {"plain": [said]}, {}).positions.tolist() == [11, 13]

    def test_a_second_look_asks_in_further_wordings(self, truth):
        # The third wording costs 30: 12 passes it, 13 and 14 do not.
        assert truth.settling.tolist() == [0, 0, 30, 30, 30]
        assert truth.settled.tolist() == [False, False, False, True, True]
        oracle = truth.oracle()
        oracle.query([12, 13])
        assert oracle.settle([12, 13]) == [False, True]
        assert dict(oracle.answers) == {12: False, 13: True}
        assert oracle.tokens_processed == 2 * 30 + 2 * 30
        without = make_truth(self.USED, self.CLIMB, {})
        assert without.settling.tolist() == [0] * 5
        assert without.settled.tolist() == truth.fails.tolist()
        assert without.price.settling == 0

    def test_its_margin_is_the_better_of_those_that_can_be_read(self, truth):
        assert np.isnan(truth.margin[0]), "the plain wording's can't be read"
        assert truth.margin[1:].tolist() == [2.0, -1.0, -0.5, -3.0]
        climb = {"echo": [answers({1: False, 2: False}, 4, [-1.0, -2.0])],
                 "long_echo": [answers({1: True, 2: False}, 4, [0.5, -4.0])]}  # fmt: skip
        assert make_truth((ECHOED, LONG_ECHO), climb, {}).margin.tolist() == [0.5, -2.0]

    def test_its_oracle_answers_and_charges_so(self, truth):
        oracle = truth.oracle()
        assert oracle.query([12, 10, 11]) == [True, False, False]
        assert oracle.tokens_processed == 30 + 10 + 30
        assert oracle.margins[12] == -1.0
        assert np.isnan(oracle.margins[10])
        assert truth.oracle().tokens_processed == 0, "each detector opens its own"

    def test_the_order_of_shards_and_of_tokens_makes_no_difference(self, truth):
        turned = {name: parts[::-1] for name, parts in self.CLIMB.items()}
        other = make_truth(self.USED, turned, {})
        for name in ("ids", "glitch", "fails", "positions"):
            assert getattr(other, name).tolist() == getattr(truth, name).tolist()

    def test_a_token_that_neither_wording_of_a_query_can_ask_about_has_no_verdict(self):
        # 7 has no plain wording and is judged by the second; 8 has only the third one.
        climb = {
            "plain": [answers({5: True, 6: False}, 20)],
            "echo": [answers({6: False, 7: False}, 40, [-1.0, -1.0])],
            "asked": [answers({6: False, 7: True, 8: True}, 90)],
        }
        truth = make_truth(self.USED, climb, {})
        assert truth.ids.tolist() == [5, 6, 7]
        assert truth.glitch.tolist() == [False, True, False]
        assert truth.fails.tolist() == [False, True, True]
        assert truth.positions.tolist() == [10, 30, 20]
        assert truth.price.most == 30
        assert (truth.positions > 0).all(), "no verdict is free"

    def test_with_one_wording_a_query_is_the_truth(self):
        truth = make_truth((PLAIN,), {"plain": [answers({3: False, 4: True}, 12)]}, {})
        assert truth.fails.tolist() == truth.glitch.tolist() == [True, False]
        assert truth.price == QueryPrice(6.0, 6)

    def test_without_a_wording_there_is_none(self):
        truth = make_truth((), {}, {})
        assert (len(truth.ids), truth.wordings, truth.n_glitch, truth.price) == (0, (), 0, QueryPrice())


class TestOfOneFamily:
    """Echoes alone count, so a glitch token must not be copied either."""

    COPIED = Wording("copied_3", WordingFamily.COPIED, None)
    CLIMB = {  # noqa: RUF012
        # 1 passes an echo; 2 is copied; 3 neither; 4 fails the echoes and can't be copied: nothing is said of it.
        "echo": [answers({1: True, 2: False, 3: False, 4: False}, 40)],
        "copied_3": [answers({2: True, 3: False}, 50)],
        "long_echo": [answers({3: False, 4: False}, 60)],
    }

    def test_copying_is_the_second_wording_of_a_query(self):
        assert order_of_asking([ECHOED, self.COPIED, LONG_ECHO]) == (ECHOED, self.COPIED, LONG_ECHO)
        truth = make_truth((ECHOED, self.COPIED, LONG_ECHO), self.CLIMB, {})
        assert truth.ids.tolist() == [1, 2, 3]
        assert truth.glitch.tolist() == [False, False, True]
        assert truth.fails.tolist() == [False, False, True]
        assert truth.positions.tolist() == [10, 35, 35]
        assert truth.families == ("echoed", "copied", "echoed")

    def test_without_copying_the_family_decides_alone(self):
        climb = {"echo": self.CLIMB["echo"], "long_echo": [answers({2: False, 3: False, 4: False}, 60)]}
        truth = make_truth((ECHOED, LONG_ECHO), climb, {})
        assert truth.ids.tolist() == [1, 2, 3, 4]
        assert truth.glitch.tolist() == [False, True, True, True]
