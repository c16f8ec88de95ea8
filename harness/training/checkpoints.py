"""A training's checkpoints on disk: which is the newest that was written whole."""

import json
import logging
import shutil
from pathlib import Path

log = logging.getLogger(__name__)


def newest_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint that was written whole; the remains of a kill are removed."""
    for folder in sorted(work.glob("checkpoint-*"), key=step_of, reverse=True):
        try:
            # The Trainer writes this file last.
            json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            log.warning("%s is not whole and is removed", folder.name)
            shutil.rmtree(folder)
            continue
        return folder
    return None


def step_of(checkpoint: Path) -> int:
    """How many steps had been made when it was written."""
    return int(checkpoint.name.rsplit("-", 1)[1])
