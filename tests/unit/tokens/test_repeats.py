"""Repeated random sequences: what every draw must satisfy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tokens.repeats import RepeatedTokens, draw_pairs, draw_with_replacement

pytestmark = pytest.mark.unit

FIRST_COMPANION = 1_000


def pairs(
    n_units: int = 20,
    n_own: int = 4,
    seq_len: int = 6,
    n_sequences: int = 6,
    seed: int = 0,
    name: str = "unused",
    bos_id: int | None = 7,
    unit_size: int = 1,
) -> RepeatedTokens:
    units = [tuple(100 + unit_size * i + j for j in range(unit_size)) for i in range(n_units)]
    companions = range(FIRST_COMPANION, FIRST_COMPANION + 2 * (seq_len - n_own) + 3)
    return draw_pairs(units, n_own, companions, seq_len, n_sequences, seed, name, bos_id)


@given(
    st.integers(1, 6), st.integers(0, 4), st.integers(2, 30), st.integers(1, 7), st.integers(0, 2**70),
    st.sampled_from([None, 0, 7]), st.integers(1, 3),
)  # fmt: skip
def test_what_every_pair_satisfies(
    n_own: int, n_companions: int, more: int, n: int, seed: int, bos_id: int | None, unit_size: int
) -> None:
    seq_len = n_own + n_companions
    if seq_len < 2:
        return
    drawn = pairs(2 * n_own + more, n_own, seq_len, n, seed, bos_id=bos_id, unit_size=unit_size)
    bos = int(bos_id is not None)
    assert drawn.control is not None and drawn.shuffled is not None
    for tokens in (drawn.tokens, drawn.control, drawn.shuffled):
        assert tokens.shape == (n, 2 * seq_len + bos)
        assert (tokens[:, :bos] == bos_id).all()
        # All three end in the same second half.
        assert np.array_equal(tokens[:, drawn.first_query :], drawn.halves)
    first, other, shuffled = (
        tokens[:, bos : bos + seq_len] for tokens in (drawn.tokens, drawn.control, drawn.shuffled)
    )
    assert np.array_equal(first, drawn.halves)
    for row in range(n):
        # Without replacement, and the control leaks nothing: no token of it, and none that coincides with one.
        both = [*first[row], *other[row]]
        assert len(set(both)) == 2 * seq_len
        in_pool = [token for token in both if token < FIRST_COMPANION]
        assert len({(token - 100) // unit_size for token in in_pool}) == 2 * n_own
        assert np.array_equal(first[row] < FIRST_COMPANION, drawn.own[row])
        assert drawn.own[row].sum() == n_own
        # The shuffled half holds the same tokens and keeps no neighbours.
        assert sorted(shuffled[row]) == sorted(first[row])
        kept = set(zip(first[row], first[row, 1:], strict=False)) & set(
            zip(shuffled[row], shuffled[row, 1:], strict=False)
        )
        assert not kept
    # The two sequences of a pair are each other's control.
    assert drawn.pair.tolist() == [row // 2 for row in range(n)]
    for row in range(0, n - 1, 2):
        assert np.array_equal(first[row], other[row + 1]) and np.array_equal(first[row + 1], other[row])


def test_a_pool_that_is_its_own_company_never_meets_itself() -> None:
    units = [(100 + i,) for i in range(20)]
    drawn = draw_pairs(units, 3, [unit[0] for unit in units], 6, 8, 0, "common", None)
    assert drawn.control is not None
    for row in range(8):
        both = [*drawn.halves[row], *drawn.control[row, :6]]
        assert len(set(both)) == 12
    assert (drawn.own.sum(axis=1) == 3).all()


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 2**32))
def test_a_sequence_does_not_depend_on_how_many_there_are(n: int, more: int, seed: int) -> None:
    few, many = (pairs(n_sequences=size, seed=seed).tokens for size in (n, n + more))
    assert np.array_equal(few, many[:n])


def test_seeds_pools_and_rows_differ() -> None:
    base = pairs().tokens
    assert not np.array_equal(base, pairs(seed=1).tokens)
    assert not np.array_equal(base, pairs(name="common").tokens)
    assert not np.array_equal(base[0], base[1])
    assert not np.array_equal(base[0], base[2])


def test_tokens_take_turns() -> None:
    # 20 units, 8 a pair: 16 of 20 have their turn in every two pairs, so nobody waits long.
    drawn = pairs(n_sequences=200)
    counts = np.bincount(drawn.halves[drawn.own] - 100, minlength=20)
    assert counts.sum() == 200 * 4
    assert counts.min() >= 30 and counts.max() <= 50


@pytest.mark.parametrize(
    ("units", "own", "companions", "seq_len", "n"), [(7, 4, 9, 6, 1), (8, 4, 3, 6, 1), (8, 0, 9, 6, 1), (8, 1, 0, 1, 1)]
)
def test_what_cannot_be_drawn_is_refused(units: int, own: int, companions: int, seq_len: int, n: int) -> None:
    with pytest.raises(ValueError):
        draw_pairs([(i,) for i in range(units)], own, range(100, 100 + companions), seq_len, n, 0, "x", None)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 30), st.integers(1, 4), st.sampled_from([None, 7]))
def test_with_replacement_every_row_is_a_half_twice(
    n_ids: int, n_distinct: int, seq_len: int, n: int, bos_id: int | None
) -> None:
    n_distinct = min(n_distinct, n_ids)
    drawn = draw_with_replacement(range(100, 100 + n_ids), n_distinct, seq_len, n, 0, "unused", bos_id)
    bos = int(bos_id is not None)
    assert np.array_equal(drawn.tokens[:, bos : bos + seq_len], drawn.halves)
    assert drawn.control is None and drawn.shuffled is None and drawn.own.all()
    assert all(len(set(half)) <= n_distinct for half in drawn.halves.tolist())
    assert set(drawn.halves.flat) <= set(range(100, 100 + n_ids))


def test_with_replacement_every_id_is_as_likely_as_any_other() -> None:
    drawn = draw_with_replacement(range(10), 5, 5, 2000, 3, "unused", None)
    counts = np.bincount(drawn.halves.ravel(), minlength=10)
    # 1,000 expected each; sequences of five ids that repeat make the spread some 45.
    assert counts.min() > 800 and counts.max() < 1200
