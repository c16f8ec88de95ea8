"""Repeated random sequences: what every draw must satisfy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tokens.pools import Pool
from harness.tokens.repeats import draw_repeated

pytestmark = pytest.mark.unit


def pool_of(n: int, name: str = "unused", first: int = 100) -> Pool:
    return Pool(name, tuple(range(first, first + n)), f"{first}:{first + n}", "some ids", is_proxy=False)


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 5), st.integers(0, 2**70), st.sampled_from([None, 0, 7]))
def test_every_row_is_a_half_twice(n_ids: int, seq_len: int, n: int, seed: int, bos_id: int | None) -> None:
    drawn = draw_repeated(pool_of(n_ids), seq_len, n, seed, bos_id)
    bos = int(bos_id is not None)
    assert drawn.tokens.shape == (n, 2 * seq_len + bos)
    assert (drawn.tokens[:, :bos] == bos_id).all()
    first, second = drawn.tokens[:, bos : bos + seq_len], drawn.tokens[:, drawn.first_query :]
    assert np.array_equal(first, second)
    assert set(first.flat) <= set(range(100, 100 + n_ids))
    assert drawn.with_replacement == (n_ids < seq_len)
    if not drawn.with_replacement:
        assert all(len(set(row)) == seq_len for row in first)


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 2**32))
def test_a_sequence_does_not_depend_on_how_many_there_are(n: int, more: int, seed: int) -> None:
    few, many = (draw_repeated(pool_of(30), 10, size, seed, None).tokens for size in (n, n + more))
    assert np.array_equal(few, many[:n])


def test_seeds_pools_and_rows_differ() -> None:
    base = draw_repeated(pool_of(30), 10, 3, 0, None).tokens
    assert not np.array_equal(base, draw_repeated(pool_of(30), 10, 3, 1, None).tokens)
    assert not np.array_equal(base, draw_repeated(pool_of(30, name="common"), 10, 3, 0, None).tokens)
    assert not np.array_equal(base[0], base[1])


def test_every_id_is_as_likely_as_any_other() -> None:
    drawn = draw_repeated(pool_of(10), 5, 2000, 3, None).tokens[:, :5]
    counts = np.bincount(drawn.ravel() - 100, minlength=10)
    # 1,000 expected each, standard deviation about 22 without replacement.
    assert counts.min() > 900 and counts.max() < 1100


@pytest.mark.parametrize(("seq_len", "n"), [(0, 1), (1, 0)])
def test_nothing_cannot_be_drawn(seq_len: int, n: int) -> None:
    with pytest.raises(ValueError):
        draw_repeated(pool_of(3), seq_len, n, 0, None)
