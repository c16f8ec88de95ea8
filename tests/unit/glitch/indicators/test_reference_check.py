"""Planted references: rows that lie together and ones that do not."""

import numpy as np
import pytest

from harness.glitch.indicators import check_reference
from harness.measure.lying_together import togetherness

pytestmark = pytest.mark.unit


def planted(noise):
    """300 random rows; ten of them around one direction, so far off by `noise`."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 24)).astype(np.float32)
    rows[:10] = 3 * rows[0] + noise * rng.normal(size=(10, 24))
    return rows


def test_rows_around_one_direction_rank_under_training():
    check = check_reference(planted(0.8), range(10), range(10, 300))
    assert check.problems == ()
    assert check.together.cosine > 0.9 > check.together.random_highest
    assert check.n_distinct == 10
    assert check.median_share_below == 0
    assert 0.9 < check.smallest_correlation <= 1
    assert sorted(i for item in check.left_out for i in item.ids) == list(range(10))


def test_random_rows_rank_nothing_and_both_reasons_are_given():
    check = check_reference(planted(0.8), range(100, 110), range(300))
    assert check.together.cosine < check.together.random_highest
    assert check.median_share_below > 0.05
    assert [("no closer together" in problem, "rank above" in problem) for problem in check.problems] == [
        (True, False),
        (False, True),
    ]


def test_one_odd_id_among_them_shows():
    rows = planted(0.8)
    check = check_reference(rows, [*range(9), 200], range(10, 300))
    odd = next(item for item in check.left_out if item.ids == (200,))
    assert odd.share_below > 0.05
    assert odd.rank_correlation == check.smallest_correlation


def test_what_coincides_is_left_out_together():
    rows = planted(0.8)
    rows[1:4] = rows[0]
    check = check_reference(rows, range(10), range(10, 300))
    assert check.n_distinct == 7
    assert check.left_out[0].ids == (0, 1, 2, 3)
    everything = check_reference(np.concatenate([np.ones((3, 24)), rows]).astype(np.float32), [0, 1, 2], range(9, 300))
    assert (everything.n_distinct, everything.left_out, everything.smallest_correlation) == (1, (), None)


def test_an_untied_model_is_judged_by_the_length_of_its_input_rows():
    embedding = np.random.default_rng(1).normal(size=(300, 24)).astype(np.float32)
    embedding[:5] *= 0.01
    low = check_reference(planted(0.8), range(10), range(10, 300), embedding)
    shares = {item.ids[0]: item.share_below for item in low.left_out}
    assert all(shares[i] == 0 for i in range(5))
    assert max(shares[i] for i in range(5, 10)) > 0.05
    assert check_reference(planted(0.8), [], range(300)) is None


def test_more_ids_than_others_are_compared_in_equal_numbers():
    rows = planted(0.8)
    found = togetherness(rows, range(10, 290), [*range(10), *range(290, 300)])
    assert found.n == 10
    assert togetherness(rows, [3], range(300)) is None
    # By hand: four rows along two axes, centred on zero; two of the same axis have cosine 1 to their centroid.
    cross = np.repeat(np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float32), 3, axis=0)
    assert togetherness(cross, [0, 1], range(12)).cosine == pytest.approx(1)
    assert togetherness(cross, [0, 6], range(12)).cosine == pytest.approx(0.5**0.5)
