"""From scores and answers to what is said of every token, by hand and against every cut there is."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.glitch.detectors.prediction import best_cut, calibrated, predict

pytestmark = pytest.mark.unit

PROBABILITIES = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.5, 0.5 + 2**-53, 0.5 + 2**-52, 1.0])), max_size=30
).map(np.array)


def mask(*bits):
    return np.array(bits, dtype=bool)


class TestCalibrated:
    def test_neighbours_in_the_wrong_order_share_their_mean(self):
        # Asked: scores 1, 2, 3, 4 with answers pass, fail, pass, fail; 2 and 3 are pooled to one half.
        scores = np.array([1.0, 2.0, 3.0, 4.0, 2.5, 3.5, 9.0, 0.5, np.nan, -np.inf])
        found = calibrated(scores, np.arange(4), mask(0, 1, 0, 1))
        assert found.tolist() == [0, 0.5, 0.5, 1, 0.5, 0.75, 1, 0, 0, 0]

    def test_a_score_below_all_asked_says_nothing_even_where_the_lowest_asked_failed(self):
        # The most suspicious tokens pass here, so all are pooled: only the unknown tail is not given their share.
        found = calibrated(np.array([1.0, 2.0, 3.0, 0.9]), np.array([0, 1, 2]), mask(1, 1, 0))
        assert found[:3] == pytest.approx(2 / 3)
        assert found[3] == 0

    def test_answers_about_tokens_without_a_score_teach_nothing(self):
        scores = np.array([np.nan, 1.0, 2.0, 1.5])
        assert calibrated(scores, np.array([0, 1, 2]), mask(1, 0, 1))[3] == 0.5
        assert not calibrated(scores, np.array([0, 1]), mask(1, 0)).any(), "one kind is left"

    @pytest.mark.parametrize("fails", [True, False])
    def test_of_one_kind_of_answer_nothing_follows(self, fails):
        assert not calibrated(np.arange(5.0), np.array([3, 4]), mask(fails, fails)).any()
        assert not calibrated(np.arange(5.0), np.empty(0, dtype=np.int64), mask()).any()

    def test_promises_are_kept(self):
        """Tokens not asked: of those given about a chance, about that share fail."""
        rng = np.random.default_rng(0)
        scores = rng.normal(size=20_000)
        fails = rng.random(20_000) < 1 / (1 + np.exp(-3 * (scores - 1)))
        asked = np.arange(2_000)
        found = calibrated(scores, asked, fails[asked])[2_000:]
        for low, high in ((0.0, 0.1), (0.1, 0.4), (0.4, 0.7), (0.7, 1.01)):
            some = (found >= low) & (found < high)
            assert some.sum() > 100
            assert fails[2_000:][some].mean() == pytest.approx(found[some].mean(), abs=0.06)


class TestBestCut:
    def test_by_hand(self):
        # Reporting k of these: 2 * (1, 1.9, 2.0, 2.05) / (k + 2.05).
        cut, expected = best_cut(np.array([0.1, 0.9, 1.0, 0.05]), 0)
        assert expected == pytest.approx(2 * 1.9 / (2 + 2.05))
        assert cut == pytest.approx(0.5)

    def test_certain_hits_are_not_risked_for_unlikely_ones(self):
        assert best_cut(np.array([0.001, 0.001]), 100)[0] == 1.0
        assert best_cut(np.array([0.001, 0.001]), 0)[0] == pytest.approx(0.0005)

    def test_without_a_token_or_a_chance_nothing_is_reported(self):
        assert best_cut(np.array([]), 3) == (1.0, 1.0)
        assert best_cut(np.zeros(4), 0) == (1.0, 0.0)

    @given(probability=PROBABILITIES, n_known=st.integers(0, 20))
    @example(probability=np.array([0.5 + 2**-52, 0.5 + 2**-53 * 3]), n_known=0)
    @example(probability=np.array([1.0, 1 - 2**-53, 0.1]), n_known=0)
    def test_it_is_the_best_of_all_cuts_and_ties_are_reported_together(self, probability, n_known):
        cut, expected = best_cut(probability, n_known)
        total = n_known + probability.sum()

        def f1(chosen):
            reported = n_known + chosen.sum()
            return 2 * (n_known + probability[chosen].sum()) / max(reported + total, 1e-12)

        assert f1(probability > cut) == pytest.approx(expected)
        for value in probability:
            assert f1(probability >= value) <= expected + 1e-9
        assert f1(np.zeros(len(probability), dtype=bool)) <= expected + 1e-9


class TestPredict:
    def test_by_hand(self):
        # 0 failed, 1 passed; 2 and 3 tie at 0.6, 4 is unlikely: 2 * (1 + 1.2) / (3 + 2.25) is the best.
        probability = np.array([1.0, 0.0, 0.6, 0.6, 0.05])
        assert predict(probability, np.array([1, 0]), mask(0, 1)).tolist() == [True, False, True, True, False]

    @given(probability=PROBABILITIES.filter(len), data=st.data())
    def test_answers_are_believed_and_the_rest_is_cut_in_one_place(self, probability, data):
        n = len(probability)
        asked = np.array(data.draw(st.lists(st.integers(0, n - 1), unique=True)), dtype=np.int64)
        fails = np.array(data.draw(st.lists(st.booleans(), min_size=len(asked), max_size=len(asked))), dtype=bool)
        found = predict(probability, asked, fails)
        assert found[asked].tolist() == fails.tolist()
        is_open = np.ones(n, dtype=bool)
        is_open[asked] = False
        reported, left = probability[is_open & found], probability[is_open & ~found]
        if len(reported) and len(left):
            assert reported.min() > left.max()
