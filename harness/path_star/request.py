"""What is known about a path-star training before it starts: enough to name the run and to refuse what cannot work."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from harness.errors import FieldRejected
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.path_star.recipe import PathStarRecipe


def fingerprints(recipe: PathStarRecipe) -> Mapping[str, str]:
    """SHA-256 of every file a recipe names, and who the model to fine-tune is."""
    found = {}
    for name in ("train_file", "held_out_file"):
        path = getattr(recipe, name)
        if path is not None:
            found[name] = _file_sha256(name, Path(path))
    if recipe.pretrained is not None:
        found["pretrained"] = resolve_identity(ModelConfig(name=recipe.pretrained)).fingerprint
    return found


def _file_sha256(field: str, path: Path) -> str:
    """The hash of a file's bytes; raises `Rejected` where it cannot be read."""
    try:
        return hashlib.sha256(path.expanduser().read_bytes()).hexdigest()
    except OSError as error:
        raise FieldRejected.key(field, str(path), f"a file that can be read ({error.strerror})") from error


def check_recipe(recipe: PathStarRecipe) -> None:
    """Refuse a recipe whose graphs do not exist in that number."""
    task = recipe.task
    drawn = (0 if recipe.train_file else recipe.n_train) + (0 if recipe.held_out_file else recipe.n_held_out)
    if drawn > task.n_distinct:
        raise FieldRejected(
            "n_train, ",
            f"n_held_out: {drawn} different graphs are asked for, but {task.label} with "
            f"{task.n_values} node numbers has only {task.n_distinct}; allowed: fewer graphs, or a larger n_values",
        )
