"""The optimiser and the learning rate's course that a recipe asks for."""

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from transformers import PreTrainedModel
from transformers.training_args import OptimizerNames

from harness.organism.recipe import Optimiser, RecipeConfig
from harness.training.row_adam import MOMENTUM, RowAdamW, RowRule

# By the Trainer's names; the others are built here.
TRAINERS_OWN = {
    Optimiser.ADAMW: OptimizerNames.ADAMW_TORCH_FUSED,
    Optimiser.ADAFACTOR: OptimizerNames.ADAFACTOR,
}


def build_optimiser(recipe: RecipeConfig, model: PreTrainedModel) -> Optimizer | None:
    """None where the Trainer's own is meant: decay of all weights but norms' and biases, by one of its optimisers.

    With `decay_embeddings=False` neither embedding nor unembedding decays; `embedding_learning_rate` is theirs alone.
    """
    usual = recipe.decay_embeddings and recipe.embedding_learning_rate is None
    if recipe.optimiser in TRAINERS_OWN and usual:
        return None
    embeddings = {id(module.weight) for module in (model.get_input_embeddings(), model.get_output_embeddings())}
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    rows = [parameter for _, parameter in named if id(parameter) in embeddings]
    others = [(name, parameter) for name, parameter in named if id(parameter) not in embeddings]
    plain = _without_decay(model)
    rate = recipe.embedding_learning_rate or recipe.learning_rate
    # A step takes away `lr * weight_decay` of a row: the same whatever its learning rate.
    decay = recipe.weight_decay * recipe.learning_rate / rate if recipe.decay_embeddings else 0.0
    groups: list[dict[str, Any]] = [
        {"params": rows, "weight_decay": decay, "lr": rate},
        {"params": [p for name, p in others if name not in plain], "weight_decay": recipe.weight_decay},
        {"params": [p for name, p in others if name in plain], "weight_decay": 0.0},
    ]
    match recipe.optimiser:
        case Optimiser.ADAMW:
            return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
        case Optimiser.COUPLED_ADAM:
            groups[0]["rule"] = RowRule.COUPLED
            return RowAdamW(groups, lr=recipe.learning_rate)
        case Optimiser.SGD_EMBEDDINGS:
            groups[0]["rule"] = RowRule.GRADIENT
            return RowAdamW(groups, lr=recipe.learning_rate)
        case Optimiser.SGD:
            return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=MOMENTUM)
        case Optimiser.ADAFACTOR:
            raise ValueError("optimiser: got adafactor, which takes all weights alike")


def _without_decay(model: PreTrainedModel) -> set[str]:
    """Norms' weights and all biases, as the Trainer leaves them out."""
    norms = {
        f"{prefix}.{name}" for prefix, module in model.named_modules() if isinstance(module, nn.LayerNorm)
        for name, _ in module.named_parameters(recurse=False)
    }  # fmt: skip
    return norms | {name for name, _ in model.named_parameters() if name.endswith("bias")}
