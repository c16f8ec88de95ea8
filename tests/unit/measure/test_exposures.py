"""Ranges of training counts: nothing between them, and the words for them."""

import numpy as np
import pytest

from harness.measure.exposures import EXPOSURE_RANGES, is_inside, range_words

pytestmark = pytest.mark.unit


def test_every_count_lies_in_exactly_one_range() -> None:
    counts = np.arange(2000)
    found = sum(is_inside(counts, low, high).astype(int) for low, high in EXPOSURE_RANGES)
    assert (found == 1).all()


def test_words_name_the_last_count_inside() -> None:
    assert [range_words(low, high) for low, high in ((0, 1), (1, 5), (1000, None))] == ["0", "1 to 4", "1000 and more"]
