"""The parameters of exp=train_pocket, and what it refuses."""

from harness.organism.recipe import RecipeConfig
from harness.runs.experiment import Experiment

VERSION = 1


ORGANISM = "organism"


EXPERIMENT = Experiment(
    name="train_pocket",
    version=VERSION,
    summary="Train a model organism whose exposures are known for every token",
    config=RecipeConfig,
    needs=frozenset(),
)
