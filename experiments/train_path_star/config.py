"""Parameters of exp=train_path_star, and what it refuses."""

from collections.abc import Mapping

from harness.models.identity import ModelIdentity
from harness.path_star.recipe import PathStarRecipe
from harness.path_star.request import check_recipe, fingerprints
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment

MODEL = "model"


def check(context: CheckContext[PathStarRecipe]) -> None:
    """Refuse what cannot be trained before anything is written."""
    check_recipe(context.exp)


def inputs(config: RunConfig[PathStarRecipe], identity: ModelIdentity | None) -> Mapping[str, str]:
    """What the answer depends on besides the recipe: the bytes of data files and of the weights to start from."""
    del identity
    return fingerprints(config.exp)


EXPERIMENT = Experiment(
    name="train_path_star",
    version=1,
    summary="Train a model on path-star graphs",
    config=PathStarRecipe,
    needs=frozenset(),
    check=check,
    inputs=inputs,
)
