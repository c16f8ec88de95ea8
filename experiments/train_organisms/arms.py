"""The trainings that are compared, each apart from the reference in one thing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from harness.organism.recipe import Optimiser, RecipeConfig


class Arm(Enum):
    """One way of training."""

    REFERENCE = "reference"
    NO_EMBEDDING_DECAY = "no_embedding_decay"
    COUPLED_ADAM = "coupled_adam"
    SGD_EMBEDDINGS = "sgd_embeddings"
    UNTIED = "untied"
    WIDE_INIT = "wide_init"
    RESTARTS = "restarts"
    SHOWN_SOFTMAX = "shown_softmax"

    @property
    def label(self) -> str:
        """What differs, in words."""
        return _CHANGES[self].label

    def change(self, recipe: RecipeConfig) -> RecipeConfig:
        """The reference's recipe with this arm's difference."""
        return _CHANGES[self].change(recipe)


@dataclass(frozen=True)
class _Change:
    label: str
    change: Callable[[RecipeConfig], RecipeConfig]


N_RESTARTS = 3

_CHANGES: Mapping[Arm, _Change] = {
    Arm.REFERENCE: _Change("reference: AdamW, tied", lambda recipe: recipe),
    Arm.NO_EMBEDDING_DECAY: _Change(
        "no weight decay on embeddings", lambda recipe: replace(recipe, decay_embeddings=False)
    ),
    Arm.COUPLED_ADAM: _Change("Coupled Adam", lambda recipe: replace(recipe, optimiser=Optimiser.COUPLED_ADAM)),
    # Of the embeddings alone: with all weights by gradient descent such a model learns to copy at no rate tried.
    Arm.SGD_EMBEDDINGS: _Change(
        "embeddings by gradient descent with momentum",
        lambda recipe: replace(recipe, optimiser=Optimiser.SGD_EMBEDDINGS),
    ),
    Arm.UNTIED: _Change("untied embeddings", lambda recipe: replace(recipe, tied=False)),
    # Rows about as long as 1, in place of 0.02 times the square root of the width.
    Arm.WIDE_INIT: _Change(
        "initial rows of length 1", lambda recipe: replace(recipe, embedding_std=recipe.d_model**-0.5)
    ),
    Arm.RESTARTS: _Change(
        f"{N_RESTARTS} restarts of the learning rate", lambda recipe: replace(recipe, restarts=N_RESTARTS)
    ),
    Arm.SHOWN_SOFTMAX: _Change(
        "softmax over shown tokens only", lambda recipe: replace(recipe, softmax_over_shown=True)
    ),
}
