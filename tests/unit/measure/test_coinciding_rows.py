"""Rows that a model can't tell apart, parted by hand and against the comparison of all pairs."""

import numpy as np
import pytest

from harness.errors import RunFailed
from harness.measure.coinciding_rows import coinciding_sets, coinciding_with

pytestmark = pytest.mark.unit


def _by_all_pairs(rows: np.ndarray, threshold: float) -> tuple[tuple[int, ...], ...]:
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    near = 1 - units @ units.T < threshold
    left, sets = set(range(len(rows))), []
    while left:
        members, frontier = set(), {min(left)}
        while frontier:
            members |= frontier
            frontier = {int(j) for i in frontier for j in np.flatnonzero(near[i])} - members
        sets.append(tuple(sorted(members)))
        left -= members
    return tuple(sorted(sets))


def _on_a_circle(*degrees: float) -> np.ndarray:
    """Unit rows, with their opposites behind them: the mean is zero."""
    angles = np.radians(degrees)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([rows, -rows]).astype(np.float32)


def test_rows_within_eight_degrees_coincide_and_others_do_not() -> None:
    # 1 - cos(8 degrees) = 0.0097; 1 - cos(8.2 degrees) = 0.0102.
    assert coinciding_sets(_on_a_circle(0, 8, 90)) == ((0, 1), (2,), (3, 4), (5,))
    assert coinciding_sets(_on_a_circle(0, 8.2, 90)) == ((0,), (1,), (2,), (3,), (4,), (5,))


def test_what_is_linked_through_others_belongs_together() -> None:
    rows = _on_a_circle(0, 7, 14, 21, 60)
    assert coinciding_sets(rows)[0] == (0, 1, 2, 3)
    assert coinciding_with(rows, [3, 4]) == {3: (0, 1, 2, 3), 4: (4,)}
    # Among ids alone the ones between are not there to link them.
    assert coinciding_sets(rows, [0, 3]) == ((0,), (3,))


def test_rows_are_centred_on_the_whole_vocabulary_and_not_on_the_ids() -> None:
    # Far from the origin every row has the same direction: only centring tells them apart.
    rows = _on_a_circle(0, 7, 45, 90, 120) + np.float32(100)
    assert coinciding_sets(rows)[0] == (0, 1)
    assert coinciding_sets(rows, [0, 1]) == ((0, 1),)


def test_equal_rows_and_zero_rows_are_together() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 300)).astype(np.float32)
    rows[[3, 17]] = rows[30]
    rows[[5, 6]] = 0
    rows[7] = -0.0
    found = coinciding_sets(rows)
    assert [members for members in found if len(members) > 1] == [(3, 17, 30), (5, 6, 7)]
    assert sorted(i for members in found for i in members) == list(range(40))
    assert coinciding_with(rows, [7, 17, 1]) == {7: (5, 6, 7), 17: (3, 17, 30), 1: (1,)}


def test_rows_equal_to_the_mean_have_no_direction_and_are_one_set() -> None:
    rows = np.concatenate([_on_a_circle(0, 90), np.zeros((2, 2), dtype=np.float32)])
    assert coinciding_sets(rows)[-1] == (4, 5)
    assert coinciding_with(rows, [4]) == {4: (4, 5)}


def test_rows_that_are_all_the_same_are_one_set() -> None:
    assert coinciding_sets(np.ones((9, 4), dtype=np.float32)) == (tuple(range(9)),)


def test_no_pair_is_lost_to_the_projection_or_the_blocks() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2600, 300)).astype(np.float32)
    near = rng.integers(0, 1300, 200)
    rows[rng.permutation(np.arange(1300, 2600))[:200]] = rows[near] + rng.normal(size=(200, 300), scale=0.13)
    expected = _by_all_pairs(rows, 0.01)
    # The noise straddles the threshold: some are linked and some are not.
    assert 20 < sum(len(members) > 1 for members in expected) < 190
    assert coinciding_sets(rows) == expected
    ids = [members[0] for members in expected if len(members) > 1][:20] + [members[0] for members in expected][:20]
    sets = {i: members for members in expected for i in members}
    assert coinciding_with(rows, ids) == {i: sets[i] for i in ids}


def test_very_many_rows_in_one_place_take_no_memory_for_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.coinciding_rows._MOST_PAIRS", 1000)
    rng = np.random.default_rng(2)
    rows = np.concatenate([rng.normal(size=(500, 16)) * 0.001 + 1, rng.normal(size=(500, 16))]).astype(np.float32)
    assert coinciding_sets(rows) == _by_all_pairs(rows, 0.01)
    assert max(map(len, coinciding_sets(rows))) >= 500


def test_rows_that_are_no_numbers_are_refused() -> None:
    rows = np.ones((3, 2), dtype=np.float32)
    rows[2, 1] = np.nan
    with pytest.raises(RunFailed, match="row 2"):
        coinciding_sets(rows)
