"""AdamW that can treat the rows of an embedding in another way than its other weights."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

MOMENTUM = 0.9
"""Of gradient descent."""


class RowRule(Enum):
    """What a row's running gradient is divided by."""

    OWN = "own"
    """Adam: each number by the root of its own second moment."""
    COUPLED = "coupled"
    """By the root of the mean second moment over all rows: the same for every token, however rarely it is shown."""
    GRADIENT = "gradient"
    """By nothing: gradient descent with momentum."""


class RowAdamW(Optimizer):
    """AdamW; groups may set `rule` (a `RowRule`, default OWN), `lr` and `weight_decay` (decoupled from the gradient).

    Sources: Loshchilov & Hutter 2019; COUPLED: Stollenwerk & Stollenwerk 2025 (arXiv 2502.08441), section 4.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, rule=RowRule.OWN))
        for group in self.param_groups:
            # Plain, since a checkpoint is read as data only.
            group["rule"] = RowRule(group["rule"]).value

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
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update = self._descend if group["rule"] == RowRule.GRADIENT.value else self._adapt
                    update(parameter, parameter.grad, group)
        return value

    def _descend(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        state.setdefault("velocity", torch.zeros_like(gradient)).mul_(MOMENTUM).add_(gradient)
        parameter.add_(state["velocity"], alpha=-group["lr"])

    def _adapt(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        squared = gradient.square()
        if group["rule"] == RowRule.COUPLED.value:
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
        parameter.addcdiv_(state["first"] / (1 - beta1 ** state["step"]), size, value=-group["lr"])
