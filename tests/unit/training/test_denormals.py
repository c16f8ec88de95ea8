"""A training leaves the process's arithmetic as it found it."""

import pytest
import torch

from harness.training.denormals import denormals_flushed

pytestmark = pytest.mark.unit


def half_of_the_smallest() -> float:
    return float(torch.tensor([torch.finfo(torch.float64).tiny], dtype=torch.float64).mul(0.5))


def test_denormals_are_flushed_inside_and_only_there() -> None:
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    torch.set_flush_denormal(False)
    with denormals_flushed():
        assert half_of_the_smallest() == 0
    assert half_of_the_smallest() > 0
    with pytest.raises(ZeroDivisionError), denormals_flushed():
        raise ZeroDivisionError
    assert half_of_the_smallest() > 0
