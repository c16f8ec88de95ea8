"""What is known of a GGUF file whose weights a model folder was made from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FACTS_FILE = "gguf.json"
_PLAIN_TYPES = frozenset({"F64", "F32", "F16", "BF16"})


class GgufUnreadable(Exception):
    """Why a GGUF file cannot be used, in one line without the file's name."""


@dataclass(frozen=True)
class GgufFacts:
    """A GGUF file by its bytes, and how it holds its weights."""

    file: str
    """The file's name, without its folder."""
    sha256: str
    """Of the whole file."""
    architecture: str
    """As the file calls it, e.g. `llama`."""
    tensor_types: Mapping[str, Mapping[str, int]]
    """How many tensors of each kind are held in which type: `{"attn_q": {"Q4_1": 30}, "token_embd": {"Q8_0": 1}}`."""
    tokenizer_note: str | None = None
    """What a reader should know of the tokenizer made from the file; None where there is nothing."""

    @property
    def quantisation(self) -> tuple[str, ...]:
        """The types that lose something, sorted; empty for a file of plain floating-point numbers."""
        return tuple(sorted({name for types in self.tensor_types.values() for name in types} - _PLAIN_TYPES))

    @property
    def weights_note(self) -> str | None:
        """What a reader of any number measured on these weights should know; None for a file that loses nothing."""
        if not self.quantisation:
            return None
        return (
            f"The weights are those of the quantised file {self.file} ({', '.join(self.quantisation)}): what is found "
            "is true of this file, not necessarily of the model it was made from."
        )

    def write(self, folder: Path) -> None:
        """Write `gguf.json` into a folder."""
        (folder / FACTS_FILE).write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_gguf_facts(folder: Path) -> GgufFacts:
    """The facts beside converted weights. Raises OSError, ValueError or TypeError where they are damaged."""
    return GgufFacts(**json.loads((folder / FACTS_FILE).read_text(encoding="utf-8")))
