"""The models under examination: trained as runs of their own, or a checkpoint from before."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.path_star.config import PathStarConfig
from harness.path_star.recipe import ObjectiveName
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig
from harness.runs.part_config import part_config


@dataclass(frozen=True)
class Trained:
    """A model and where it comes from; `training` is empty for a checkpoint."""

    folder: Path
    training: dict[str, Any]


def trained_model(config: RunConfig[PathStarConfig]) -> Trained:
    """The model of the config: its training is done now unless it was before."""
    exp: PathStarConfig = config.exp
    if exp.checkpoint is not None:
        return Trained(Path(exp.checkpoint).expanduser(), {})
    return _train(config, exp.recipe_values())


def first_only_model(config: RunConfig[PathStarConfig]) -> Trained | None:
    """The model trained on the first step alone; None where none is asked for."""
    exp: PathStarConfig = config.exp
    if exp.n_first_only_steps == 0:
        return None
    values = exp.recipe_values() | {"objective": ObjectiveName.FIRST_ONLY, "n_steps": exp.n_first_only_steps}
    return _train(config, values)


def _train(config: RunConfig[PathStarConfig], values: dict[str, Any]) -> Trained:
    # A training knows nothing of the run's own seed: runs that differ in it alone share their models.
    part = part_config(replace(config, seed=0), "train_path_star", **values)
    run = execute(part)
    facts = {name: run.details[name] for name in ("steps", "is_solved", "n_parameters")}
    return Trained(run.folder / str(run.details["folder"]), {"run_id": run.run_id, **facts})
