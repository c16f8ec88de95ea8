"""Recipes: what is refused, and that they survive a file."""

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import Rejected
from harness.organism.recipe import Architecture, Optimiser, RecipeConfig, RowMix
from harness.runs.config.typed import to_dataclass

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_steps": 0, "early_steps": 0}, "n_steps: got 0, allowed: 1 or more"),
        ({"d_model": 130}, "d_model: got 130, allowed: a multiple of n_heads"),
        ({"doses": (4, 1)}, "doses: got (4, 1), allowed: ascending"),
        ({"vocab_size": 300}, "vocab_size: got 300, allowed: 578"),
        ({"late_rows": RowMix(1, 1, 1)}, "late_rows: got"),
        ({"early_steps": 10**6}, "early_steps: got 1000000, allowed: 0 to n_steps"),
        ({"learning_rate": 0.0}, "learning_rate: got 0.0, allowed: above 0"),
        ({"optimiser": Optimiser.ADAFACTOR, "decay_embeddings": False}, "decay_embeddings: got False, allowed: true"),
        ({"stream_seed": -1}, "stream_seed: got -1, allowed: 0 or more"),
    ],
)
def test_a_mistake_names_field_value_and_what_is_allowed(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Rejected) as error:
        to_dataclass(RecipeConfig, changes)
    assert str(error.value).startswith(message)


def test_a_recipe_survives_a_file_and_any_change_changes_its_fingerprint() -> None:
    recipe = RecipeConfig(
        d_model=64, stream_seed=3, tied=False, optimiser=Optimiser.ADAFACTOR, architecture=Architecture.GPT_NEOX
    )
    assert RecipeConfig.from_dict(recipe.as_dict()) == recipe
    assert RecipeConfig.from_dict(recipe.as_dict()).fingerprint() == recipe.fingerprint()
    assert replace(recipe, stream_seed=4).fingerprint() != recipe.fingerprint()


def test_an_organism_of_before_there_was_a_choice_is_tied_and_of_adamw() -> None:
    later = (
        "tied", "optimiser", "bf16", "architecture", "embedding_std", "softmax_over_shown", "decay_embeddings",
        "restarts",
    )  # fmt: skip
    settings = {key: value for key, value in RecipeConfig().as_dict().items() if key not in later}
    assert RecipeConfig.from_dict(settings) == RecipeConfig()
