"""The models under examination: trained as runs of their own, or a checkpoint from before."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.path_star import PathStarConfig
from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity, resolve_identity
from harness.path_star.graphs import parse_graph
from harness.path_star.recipe import ObjectiveName
from harness.path_star.shipping import TASK_FILE
from harness.runs.config.schema import RunConfig
from harness.runs.parts import part_config, run_part

_SAME = ("graph", "n_values", "objective", "architecture")


@dataclass(frozen=True)
class Trained:
    """A model and where it comes from; `training` is empty for a checkpoint."""

    folder: Path
    training: dict[str, Any]


def trained_model(config: RunConfig) -> Trained:
    """The model of the config: its training is done now unless it was before."""
    exp: PathStarConfig = config.exp
    if exp.checkpoint is not None:
        return Trained(Path(exp.checkpoint).expanduser(), {})
    return _train(config, exp.recipe_values())


def first_only_model(config: RunConfig) -> Trained | None:
    """The model trained on the first step alone; None where none is asked for."""
    exp: PathStarConfig = config.exp
    if exp.n_first_only_steps == 0:
        return None
    values = exp.recipe_values() | {"objective": ObjectiveName.FIRST_ONLY, "n_steps": exp.n_first_only_steps}
    return _train(config, values)


def _train(config: RunConfig, values: dict[str, Any]) -> Trained:
    # A training knows nothing of the run's own seed: runs that differ in it alone share their models.
    part = part_config(replace(config, seed=0), "train_path_star", **values)
    run = run_part(part)
    facts = {name: run.details[name] for name in ("steps", "is_solved", "n_parameters")}
    return Trained(run.folder / str(run.details["folder"]), {"run_id": run.run_id, **facts})


def checkpoint_identity(exp: PathStarConfig) -> ModelIdentity:
    """Who the checkpoint is; raises `Rejected` for a folder without usable weights."""

    return resolve_identity(ModelConfig(name=str(Path(str(exp.checkpoint)).expanduser().absolute())))


def check_checkpoint(exp: PathStarConfig) -> None:
    """Refuse a checkpoint that was trained on something else than what is asked here."""
    if exp.checkpoint is None:
        return
    path = Path(exp.checkpoint).expanduser() / TASK_FILE
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))["recipe"]
    except OSError:
        raise Rejected.key(
            "exp.checkpoint", str(exp.checkpoint), f"a folder made by exp=train_path_star (with {TASK_FILE} in it)"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise Rejected(f"exp.checkpoint: {path} cannot be read ({type(error).__name__})") from error
    asked = {"objective": exp.objective.value, "architecture": exp.architecture.value}
    for name in _SAME:
        here, there = asked.get(name, getattr(exp, name)), recipe.get(name)
        if name == "graph" and isinstance(there, str):
            here, there = parse_graph(str(here)), parse_graph(there)
        if here != there:
            raise Rejected(
                f"exp.checkpoint: {exp.checkpoint} was trained with {name}={recipe.get(name)}, and "
                f"exp.{name}={asked.get(name, getattr(exp, name))} is asked; allowed: a checkpoint of the same task"
            )
