"""A mended model as a folder that loads like any other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import RunFailed
from harness.files import folder_of_whole_files
from harness.glitch.repair.mending import Mending, RowMending
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.steered import Scope
from harness.models.tokenizers import Tokenizer

FACTS_FILE = "repair.json"
_UNTIED = (
    " The model was tied; mended at one end, or differently at the two, it has two matrices now ({megabytes:.1f} MB "
    "more), and config.json says tie_word_embeddings=false."
)


@dataclass(frozen=True)
class Written:
    """What was written."""

    n_bytes: int
    """Of all weight files."""
    remark: str
    """A sentence more, with a space in front, where there is something to be told."""


def write_checkpoint(
    mending: Mending, model: CausalModel, tokenizer: Tokenizer, folder: Path, facts: Mapping[str, Any]
) -> Written:
    """Weights, config, tokenizer, and `facts` in repair.json.

    Training counts that lie beside an organism's weights are not copied: they are of other rows. Raises `RunFailed`
    where the disk refuses.
    """
    with mending.on(model, Scope.TEXT) as mended, folder_of_whole_files(folder) as temporary:
        try:
            mended.backend.save_pretrained(temporary)
            (mending.tokenizer or tokenizer).save(temporary)
            (temporary / FACTS_FILE).write_text(json.dumps(dict(facts), indent=2) + "\n", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise RunFailed(f"cannot write the mended model to {folder}: {error}") from error
        n_bytes = sum(path.stat().st_size for path in temporary.glob("*.safetensors"))
        more = model.unembedding().numel() * model.unembedding().element_size() / 1e6
    unties = isinstance(mending, RowMending) and mending.rows.unties(model)
    return Written(n_bytes, _UNTIED.format(megabytes=more) if unties else "")
