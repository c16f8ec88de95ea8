"""Means clustered by token and by sequence, against sums by hand and against a simulation that knows the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.crossed import Crossed, crossed_difference, crossed_interval, crossed_mean
from harness.measure.intervals import Method, student_t

pytestmark = pytest.mark.unit


def test_the_variance_by_hand() -> None:
    # Two tokens in two sequences, every crossing once: mean 2.5, residuals -1.5 -0.5 0.5 1.5.
    found = crossed_mean(Crossed(np.array([1.0, 2.0, 3.0, 4.0]), np.array([7, 7, 9, 9]), np.array([0, 1, 0, 1])))
    assert found is not None
    by_token = (2.0**2 + 2.0**2) / 16 * 2
    by_sequence = (1.0**2 + 1.0**2) / 16 * 2
    by_both = (2.25 + 0.25 + 0.25 + 2.25) / 16 * 4 / 3
    assert found.mean == 2.5
    # By hand 1 + 0.25 - 0.4167 = 0.8333, less than the tokens' own 1: they set it.
    assert (by_token, by_sequence, by_both) == (1.0, 0.25, pytest.approx(5 / 12))
    assert found.variance == 1.0
    assert (found.n_tokens, found.n_sequences, found.n_items, found.df) == (2, 2, 4, 1)


def test_independent_items_give_student_t() -> None:
    values = np.random.default_rng(0).normal(size=40)
    found = crossed_interval(Crossed(values, np.arange(40), np.arange(40)))
    expected = student_t(values)
    assert found is not None and found.method is Method.CROSSED_T
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))


def test_tokens_that_coincide_are_one_observation() -> None:
    values = np.random.default_rng(1).normal(size=8)
    sequences = np.arange(8)
    apart = crossed_interval(Crossed(values, np.arange(8), sequences))
    together = crossed_interval(Crossed(values, np.zeros(8, dtype=int), sequences))
    assert apart is not None and apart.low is not None
    assert together is not None and together.low is None and together.n == 1


@given(st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=2, max_size=30), st.integers(1, 5), st.integers(1, 5))
def test_an_interval_holds_its_mean_and_ignores_what_was_not_measured(
    values: list[float], n_tokens: int, n_sequences: int
) -> None:
    items = np.array(values)
    tokens, sequences = np.arange(len(items)) % n_tokens, np.arange(len(items)) // n_sequences
    found = crossed_interval(Crossed(items, tokens, sequences))
    assert found is not None
    assert found.low is None or (found.low <= found.mean <= (found.high or 0) or np.isclose(found.low, found.mean))
    more = np.concatenate([items, [np.nan]])
    again = crossed_interval(Crossed(more, np.append(tokens, 99), np.append(sequences, 99)))
    assert again == found
    assert crossed_interval(Crossed(np.array([np.nan]), np.array([0]), np.array([0]))) is None


def test_a_share_of_nothing_has_an_interval() -> None:
    tokens, sequences = np.arange(30) % 6, np.arange(30) // 6
    nothing = crossed_interval(Crossed(np.zeros(30), tokens, sequences), is_share=True)
    assert nothing is not None and nothing.method is Method.WILSON_CROSSED
    # Five sequences of six tokens: no more than five independent trials.
    assert nothing.low == 0 and nothing.high is not None and 0.5 < nothing.high < 0.7


def test_without_variation_there_is_a_difference_and_no_p_value() -> None:
    a = Crossed(np.zeros(8), np.arange(8), np.arange(8))
    b = Crossed(np.ones(8), np.arange(8), np.arange(8))
    found = crossed_difference(a, b)
    assert found is not None and found[0].mean == -1 and found[1] is None
    assert crossed_difference(a, Crossed(np.full(8, np.nan), np.arange(8), np.arange(8))) is None


def _drawn(rng: np.random.Generator, n_tokens: int, per_sequence: int, n_sequences: int, tokens: float) -> Crossed:
    """Values with an effect of the token (standard deviation `tokens`), of the sequence (0.5) and of chance (1)."""
    of_token, of_sequence = rng.normal(0, tokens, n_tokens), rng.normal(0, 0.5, n_sequences)
    drawn = np.stack([rng.permutation(n_tokens)[:per_sequence] for _ in range(n_sequences)])
    values = of_token[drawn] + of_sequence[:, None] + rng.normal(0, 1, drawn.shape)
    return Crossed(values.ravel(), drawn.ravel(), np.repeat(np.arange(n_sequences), per_sequence))


@pytest.mark.parametrize(("n_tokens", "per_sequence", "tokens"), [(13, 6, 1.0), (40, 20, 1.0), (40, 20, 0.0)])
def test_pools_that_do_not_differ_are_called_different_one_time_in_twenty(
    n_tokens: int, per_sequence: int, tokens: float
) -> None:
    rng = np.random.default_rng(5)
    n, rejected, by_sequence_alone = 250, 0, 0
    for _ in range(n):
        a, b = (_drawn(rng, n_tokens, per_sequence, 32, tokens) for _ in range(2))
        found = crossed_difference(a, b)
        assert found is not None and found[1] is not None
        rejected += found[1] < 0.05
        alone = crossed_difference(*(Crossed(x.values, x.sequences, x.sequences) for x in (a, b)))
        assert alone is not None and alone[1] is not None
        by_sequence_alone += alone[1] < 0.05
    assert 0.02 <= rejected / n <= 0.08
    if tokens:
        # What counting sequences alone would have said of tokens that differ from one another.
        assert by_sequence_alone / n > 0.25
