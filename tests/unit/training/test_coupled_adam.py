"""Coupled Adam: AdamW but for the divisor that all rows of an embedding share."""

import pytest
import torch

from harness.training.coupled_adam import CoupledAdamW

pytestmark = pytest.mark.unit


def steps(optimiser, parameter, gradients) -> torch.Tensor:
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimiser.step()
    return parameter.detach()


def test_uncoupled_it_is_adamw() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(5, 3), torch.randn(7, 5, 3)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    found = steps(CoupledAdamW([ours], lr=0.1, weight_decay=0.2), ours, gradients)
    expected = steps(torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.2), theirs, gradients)
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_first_step_is_the_gradient_over_the_root_of_its_mean_square_over_tokens() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    # Columns: mean squares (9 + 1) / 2 = 5 and (16 + 0) / 2 = 8.
    gradient = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    found = steps(CoupledAdamW([{"params": [parameter], "coupled": True}], lr=0.5), parameter, [gradient])
    expected = -0.5 * gradient / torch.tensor([5.0, 8.0]).sqrt()
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_token_with_a_tiny_gradient_moves_as_far_as_others_with_adam_and_hardly_when_coupled() -> None:
    gradients = [torch.tensor([[1.0], [1e-4]])] * 20
    moved = {}
    for coupled in (False, True):
        parameter = torch.nn.Parameter(torch.zeros(2, 1))
        optimiser = CoupledAdamW([{"params": [parameter], "coupled": coupled}], lr=0.01)
        moved[coupled] = steps(optimiser, parameter, gradients).abs().squeeze(1)
    assert moved[False][1] == pytest.approx(float(moved[False][0]), rel=1e-2)
    assert moved[True][1] < 1e-3 * moved[True][0]


def test_it_goes_on_from_a_state_that_was_saved() -> None:
    gradients = torch.ones(4, 3, 2)
    whole = torch.nn.Parameter(torch.zeros(3, 2))
    expected = steps(CoupledAdamW([{"params": [whole], "coupled": True}], lr=0.1), whole, gradients)
    parameter = torch.nn.Parameter(torch.zeros(3, 2))
    first = CoupledAdamW([{"params": [parameter], "coupled": True}], lr=0.1)
    steps(first, parameter, gradients[:2])
    second = CoupledAdamW([{"params": [parameter], "coupled": True}], lr=0.1)
    second.load_state_dict(first.state_dict())
    assert torch.equal(steps(second, parameter, gradients[2:]), expected)
