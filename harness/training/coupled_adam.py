"""Adam whose second moment is shared by all tokens of an embedding."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class CoupledAdamW(Optimizer):
    """AdamW; in groups with `coupled=True` the second moment of a matrix is the mean over its rows.

    Each component of a row is then divided by the same number as in all other rows, however rarely a token is shown.
    Source: Stollenwerk & Stollenwerk 2025 (arXiv 2502.08441), section 4. Groups may set `coupled` (default False), `lr`
    and `weight_decay` (decoupled from the gradient: Loshchilov & Hutter 2019).
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, coupled=False))

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step from the gradients that are there; what `closure` computes first, if it is given."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return value

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        squared = gradient.square()
        if group["coupled"]:
            # A mean of running averages is the running average of the mean.
            squared = squared.mean(dim=0)
        if not state:
            state["step"] = 0
            state["first"], state["second"] = torch.zeros_like(gradient), torch.zeros_like(squared)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["first"].lerp_(gradient, 1 - beta1)
        state["second"].lerp_(squared, 1 - beta2)
        size = (state["second"] / (1 - beta2 ** state["step"])).sqrt_().add_(group["eps"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(state["first"] / (1 - beta1 ** state["step"]), size, value=-group["lr"])
