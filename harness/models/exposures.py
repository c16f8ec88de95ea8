"""How often training showed each token, and which were planted, where that is known."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from safetensors import SafetensorError
from safetensors.numpy import load_file

from harness.errors import Rejected
from harness.models.organism_files import EXPOSURES_FILE, PLANTED_FILE

STREAMS = ("text", "repeats", "tasks")
"""What training rows are made of: running text, repeated random sequences, questions with answers."""


@dataclass(frozen=True, eq=False)
class Exposures:
    """How often each token id occurred in training: over all streams, and in each."""

    total: Int[np.ndarray, " d_vocab"]
    text: Int[np.ndarray, " d_vocab"]
    repeats: Int[np.ndarray, " d_vocab"]
    tasks: Int[np.ndarray, " d_vocab"]


def load_exposures(folder: Path, d_vocab: int | None = None) -> Exposures | None:
    """The training counts beside a model's weights, each int64 [d_vocab]; None where the folder has none.

    Raises `Rejected` where the file is damaged, lacks a stream or counts another vocabulary than `d_vocab` ids.
    """
    path = folder / EXPOSURES_FILE
    if not path.is_file():
        return None

    try:
        arrays = load_file(path)
        found = Exposures(**{name: arrays[name].astype(np.int64) for name in ("total", *STREAMS)})
    except (SafetensorError, KeyError) as error:
        raise Rejected(f"model.name: got {str(folder)!r}: {EXPOSURES_FILE} cannot be read ({error})") from error
    for name, counts in vars(found).items():
        if d_vocab is not None and counts.shape != (d_vocab,):
            raise Rejected(
                f"model.name: got {str(folder)!r}: {EXPOSURES_FILE} holds {name} of shape {counts.shape}, "
                f"allowed: ({d_vocab},), the model's vocabulary"
            )
    return found


def load_planted(folder: Path) -> dict[int, tuple[int, ...]]:
    """Dose -> ids of the tokens that training showed exactly so often, chosen at random; none where nothing says so.

    Raises `Rejected` where the file is damaged.
    """
    path = folder / PLANTED_FILE
    if not path.is_file():
        return {}
    try:
        found: Mapping[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
        return {int(dose): tuple(int(token) for token in ids) for dose, ids in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise Rejected(f"model.name: got {str(folder)!r}: {PLANTED_FILE} cannot be read ({error})") from error
