"""Reading an organism's folder: what training showed, what was planted, what was held out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from harness.models.exposures import Exposures, load_exposures, load_planted
from harness.models.organism_files import HELD_OUT_FILE, RECIPE_FILE


@dataclass(frozen=True)
class Organism:
    """A model whose training is known.

    `planted` maps a dose to its ids; `held_out` maps a task's name to the ids that training never showed in that task's
    prompt; `recipe` is recipe.json.
    """

    folder: Path
    exposures: Exposures
    planted: Mapping[int, tuple[int, ...]]
    held_out: Mapping[str, tuple[int, ...]]
    recipe: Mapping[str, Any]

    @property
    def total(self) -> Int[np.ndarray, " d_vocab"]:
        """How often training showed each id, over all streams."""
        return self.exposures.total


def load_organism(folder: Path) -> Organism | None:
    """The organism in `folder`, None when the folder has no exposures and so is an ordinary model. Loads no weights."""

    exposures = load_exposures(Path(folder))
    if exposures is None:
        return None
    return Organism(
        folder=Path(folder),
        exposures=exposures,
        planted=load_planted(Path(folder)),
        held_out={task: tuple(ids) for task, ids in _read(folder, HELD_OUT_FILE).items()},
        recipe=_read(folder, RECIPE_FILE),
    )


def _read(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((Path(folder) / name).read_text(encoding="utf-8"))
