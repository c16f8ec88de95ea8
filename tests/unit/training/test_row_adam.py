"""AdamW whose rows may share a divisor (Coupled Adam) or have none (gradient descent)."""

import pytest
import torch

from harness.training.row_adam import MOMENTUM, RowAdamW, RowRule

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
    found = steps(RowAdamW([ours], lr=0.1, weight_decay=0.2), ours, gradients)
    expected = steps(torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.2), theirs, gradients)
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_first_step_is_the_gradient_over_the_root_of_its_mean_square_over_tokens() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    # Columns: mean squares (9 + 1) / 2 = 5 and (16 + 0) / 2 = 8.
    gradient = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    found = steps(RowAdamW([{"params": [parameter], "rule": RowRule.COUPLED}], lr=0.5), parameter, [gradient])
    expected = -0.5 * gradient / torch.tensor([5.0, 8.0]).sqrt()
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_token_with_a_tiny_gradient_moves_as_far_as_others_with_adam_and_hardly_when_coupled() -> None:
    gradients = [torch.tensor([[1.0], [1e-4]])] * 20
    moved = {}
    for coupled in (False, True):
        parameter = torch.nn.Parameter(torch.zeros(2, 1))
        optimiser = RowAdamW([{"params": [parameter], "rule": RowRule.COUPLED if coupled else RowRule.OWN}], lr=0.01)
        moved[coupled] = steps(optimiser, parameter, gradients).abs().squeeze(1)
    assert moved[False][1] == pytest.approx(float(moved[False][0]), rel=1e-2)
    assert moved[True][1] < 1e-3 * moved[True][0]


def test_it_goes_on_from_a_state_that_was_saved_and_read_as_data_only(tmp_path) -> None:
    gradients = torch.ones(4, 3, 2)
    whole = torch.nn.Parameter(torch.zeros(3, 2))
    expected = steps(RowAdamW([{"params": [whole], "rule": RowRule.COUPLED}], lr=0.1), whole, gradients)
    parameter = torch.nn.Parameter(torch.zeros(3, 2))
    first = RowAdamW([{"params": [parameter], "rule": RowRule.COUPLED}], lr=0.1)
    steps(first, parameter, gradients[:2])
    second = RowAdamW([{"params": [parameter], "rule": RowRule.COUPLED}], lr=0.1)
    torch.save(first.state_dict(), tmp_path / "optimizer.pt")
    second.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    assert torch.equal(steps(second, parameter, gradients[2:]), expected)


def test_by_the_gradient_alone_it_is_gradient_descent_with_momentum() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(5, 3), torch.randn(7, 5, 3)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    group = {"params": [ours], "rule": RowRule.GRADIENT}
    found = steps(RowAdamW([group], lr=0.1), ours, gradients)
    expected = steps(torch.optim.SGD([theirs], lr=0.1, momentum=MOMENTUM), theirs, gradients)
    assert torch.allclose(found, expected, atol=1e-6)
