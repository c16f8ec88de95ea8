"""Parameters of exp=path_star, and what it refuses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.constraints import Count, Whole
from harness.errors import FieldRejected
from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity, resolve_identity
from harness.path_star.graphs import parse_graph
from harness.path_star.recipe import TASK_FILE, PathStarRecipe
from harness.path_star.request import check_recipe, fingerprints
from harness.path_star.ways.teacher_forcing import TeacherForcing
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment
from harness.runs.identity import plain

_SAME = ("graph", "n_values", "objective", "architecture")


@dataclass(frozen=True)
class PathStarConfig(PathStarRecipe):
    """The training's recipe, and how the trained model is examined."""

    checkpoint: Path | None = None
    """A model trained before (a folder with path_star.json): graph and objective must be those of this config."""
    n_test: Count = 2000
    """Held-out graphs that the model answers; with held_out_file, the first so many of its lines."""
    n_lookup: Count = 256
    """Graphs over which attention to edges is averaged."""
    n_top_heads: Count = 4
    """Heads whose patterns are kept."""
    n_knock_out: Whole = 256
    """Graphs that the model answers without each head in turn; 0: no head is taken out."""
    first_only_steps: Whole = 2000
    """Steps of a second model that is trained on the first step alone; 0: none is. Only with teacher forcing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.held_out_file is None:
            self._require("n_test", self.n_test <= self.n_held_out, f"up to n_held_out ({self.n_held_out})")

    def recipe_values(self) -> dict[str, Any]:
        """The fields that decide the training."""
        return {field.name: getattr(self, field.name) for field in fields(PathStarRecipe)}

    @property
    def n_first_only_steps(self) -> int:
        """How long the second model is trained; 0: it is not."""
        is_comparable = self.objective == TeacherForcing.name and self.checkpoint is None
        return self.first_only_steps if is_comparable else 0


def check(context: CheckContext[PathStarConfig]) -> None:
    """Refuse what cannot be trained (a checkpoint is looked at before: its bytes are part of the run's name)."""
    check_recipe(context.exp)


def inputs(config: RunConfig[PathStarConfig], identity: ModelIdentity | None) -> Mapping[str, str]:
    """Bytes of data files, of the weights to start from, and of a checkpoint."""
    del identity
    found = dict(fingerprints(config.exp))
    if config.exp.checkpoint is not None:
        check_checkpoint(config.exp)
        found["checkpoint"] = checkpoint_identity(config.exp).fingerprint
    return found


def checkpoint_identity(exp: PathStarConfig) -> ModelIdentity:
    """Who the checkpoint is; raises `Rejected` for a folder without usable weights."""
    return resolve_identity(ModelConfig(name=str(Path(str(exp.checkpoint)).expanduser().absolute())))


def check_checkpoint(exp: PathStarConfig) -> None:
    """Refuse a checkpoint that was trained on something else than what the config says."""
    if exp.checkpoint is None:
        return
    path = Path(exp.checkpoint).expanduser() / TASK_FILE
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))["recipe"]
    except OSError:
        raise FieldRejected.key(
            "checkpoint", str(exp.checkpoint), f"a folder made by exp=train_path_star (with {TASK_FILE} in it)"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise FieldRejected(f"checkpoint: {path} cannot be read ({type(error).__name__})") from error
    for name in _SAME:
        here, there = plain(getattr(exp, name)), recipe.get(name)
        is_same = here == there
        if name == "graph" and isinstance(there, str):
            is_same = parse_graph(here) == parse_graph(there)
        if not is_same:
            raise FieldRejected(
                f"checkpoint: {exp.checkpoint} was trained with {name}={there}, and ",
                f"{name}={here} is asked; allowed: a checkpoint of the same task",
            )


EXPERIMENT = Experiment(
    name="path_star",
    version=2,
    summary="What next-token training cannot learn: path-star graphs",
    config=PathStarConfig,
    needs=frozenset(),
    check=check,
    inputs=inputs,
)
