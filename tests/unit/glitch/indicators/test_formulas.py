"""Every indicator against numbers worked out by hand on rows of two or three numbers."""

import math

import numpy as np
import pytest

from harness.errors import RunFailed
from harness.glitch.indicators import Indicator, main_indicator, weight_indicators

pytestmark = pytest.mark.unit

# u_T = mean of rows 0 and 1 = (1, 1), of length sqrt 2; the mean of all rows is (2, 1).
ROWS = np.array([[2.0, 0.0], [0.0, 2.0], [3.0, 3.0], [3.0, -1.0]], dtype=np.float32)
UNUSED = [0, 1]


def test_cosine_distance_by_hand():
    # cos: 2/(2*sqrt2), 2/(2*sqrt2), 6/(sqrt18*sqrt2)=1, 2/(sqrt10*sqrt2)
    expected = [1 - 1 / math.sqrt(2), 1 - 1 / math.sqrt(2), 0.0, 1 - 2 / math.sqrt(20)]
    np.testing.assert_allclose(weight_indicators(ROWS, UNUSED)[Indicator.COSINE], expected, atol=1e-7)


def test_centred_cosine_distance_by_hand():
    # Centred rows (0,-1), (-2,1), (1,2), (1,-2); their reference (-1, 0).
    expected = [1.0, 1 - 2 / math.sqrt(5), 1 + 1 / math.sqrt(5), 1 + 1 / math.sqrt(5)]
    np.testing.assert_allclose(weight_indicators(ROWS, UNUSED)[Indicator.CENTRED_COSINE], expected, atol=1e-7)


def test_l2_distance_by_hand():
    expected = [math.sqrt(2), math.sqrt(2), math.sqrt(8), math.sqrt(8)]
    np.testing.assert_allclose(weight_indicators(ROWS, UNUSED)[Indicator.L2], expected, atol=1e-7)


def test_without_the_first_component_only_the_other_directions_count():
    # All variance around the mean lies on the first axis, which is dropped from the uncentred rows.
    rows = np.array([[9.0, 1.0, 0.0], [-9.0, 1.0, 0.0], [5.0, 0.0, 1.0], [-5.0, 0.0, 1.0]], dtype=np.float32)
    found = weight_indicators(rows, [0])[Indicator.COSINE_WITHOUT_FIRST_PC]
    np.testing.assert_allclose(found, [0.0, 0.0, 1.0, 1.0], atol=1e-6)


def test_the_input_norm_is_for_untied_models_and_comes_first():
    embedding = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0], [0.0, 2.0]], dtype=np.float32)
    found = weight_indicators(ROWS, UNUSED, embedding)
    assert next(iter(found)) is Indicator.INPUT_NORM is main_indicator(is_tied=False)
    np.testing.assert_allclose(found[Indicator.INPUT_NORM], [5.0, 0.0, 1.0, 2.0])
    assert Indicator.INPUT_NORM not in weight_indicators(ROWS, UNUSED)
    assert main_indicator(is_tied=True) is Indicator.COSINE


def test_without_unused_ids_an_untied_model_has_its_input_norm_and_a_tied_one_nothing():
    assert set(weight_indicators(ROWS, [], ROWS)) == {Indicator.INPUT_NORM}
    with pytest.raises(RunFailed, match="known to be unused"):
        weight_indicators(ROWS, [])


def test_a_row_of_zeros_is_at_cosine_distance_one_and_no_nan():
    rows = np.concatenate([ROWS, np.zeros((1, 2), dtype=np.float32)])
    assert weight_indicators(rows, UNUSED)[Indicator.COSINE][-1] == 1.0


def test_rows_that_were_never_trained_come_out_lowest():
    rng = np.random.default_rng(0)
    collapsed = np.ones(16) + 0.01 * rng.normal(size=(40, 16))
    rows = np.concatenate([collapsed, rng.normal(size=(400, 16)) + 0.2]).astype(np.float32)
    for name, values in weight_indicators(rows, range(10)).items():
        assert set(np.argsort(values)[:40]) == set(range(40)), name


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_numbers_are_named(value):
    rows = ROWS.copy()
    rows[2, 1] = value
    with pytest.raises(RunFailed, match=r"1 rows of the unembedding are not finite numbers, the first of them row 2"):
        weight_indicators(rows, UNUSED)
    with pytest.raises(RunFailed, match="rows of the embedding"):
        weight_indicators(ROWS, UNUSED, rows)


def test_a_constant_matrix_is_refused():
    with pytest.raises(RunFailed, match="all 5 rows of the unembedding are the same"):
        weight_indicators(np.ones((5, 3), dtype=np.float32), [0])
