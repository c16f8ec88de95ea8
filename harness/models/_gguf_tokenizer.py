"""A tokenizer folder made from what a GGUF file says of its vocabulary."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from harness.models._gguf_header import GgufHeader
from harness.models.gguf_facts import GgufUnreadable

_VOCABULARY = "tokenizer.ggml.tokens"
_RULE = "tokenizer.ggml.pre"
# llama.cpp's names of rules for cutting text before merging: as GPT-2 does, and so with every digit by itself.
_AS_GPT2 = frozenset({"gpt-2", "phi-2", "mpt", "olmo", "jais"})
_DIGITS_APART = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell"})
# llama.cpp's converter fills rows of the embedding that no token has with such names.
_FILLED_IN = re.compile(r"\[PAD(\d+)\]")


def has_vocabulary(header: GgufHeader) -> bool:
    """Whether the file brings a tokenizer along."""
    return bool(header.metadata.get(_VOCABULARY))


def tokenizer_note(header: GgufHeader) -> str | None:
    """What a reader should know of the tokenizer made here; None where there is nothing."""
    rule = header.metadata.get(_RULE)
    if not has_vocabulary(header) or header.metadata.get("tokenizer.ggml.model") != "gpt2":
        return None
    if rule in _AS_GPT2 | _DIGITS_APART or rule in GGUF_PRE_TOKENIZER_SPLITS:
        return None
    named = "names no rule" if rule is None else f"names a rule ({rule}) that is not known here"
    return (
        f"The GGUF file {named} for cutting text into words: GPT-2's is taken. Ids and their texts are the file's; "
        "longer texts may be cut differently."
    )


def write_tokenizer(header: GgufHeader, source: Path, folder: Path) -> None:
    """Write the tokenizer of the file `source`, which must lie alone in its folder, into `folder`.

    Raises `GgufUnreadable` where the file has none, or one that transformers cannot build.
    """
    if not has_vocabulary(header):
        raise GgufUnreadable("it has no tokenizer")
    try:
        backend = AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name, local_files_only=True)
    except Exception as error:  # transformers raises whatever an odd vocabulary makes it stumble over
        kind, reason = header.metadata.get("tokenizer.ggml.model"), " ".join(str(error).split())[:160]
        raise GgufUnreadable(
            f"its tokenizer ({kind}) cannot be read by transformers ({type(error).__name__}: {reason})"
        ) from error
    backend.save_pretrained(str(folder))
    _correct(header, folder / "tokenizer.json")
    _forget_the_source(folder / "tokenizer_config.json")


def _correct(header: GgufHeader, path: Path) -> None:
    """Put right what transformers does not take from the file: rows without a token, and how digits are cut."""
    definition: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    model = definition["model"]
    if isinstance(model.get("vocab"), dict):
        filled_in = _filled_in(model["vocab"])
        model["vocab"] = {name: i for name, i in model["vocab"].items() if name not in filled_in}
        definition["added_tokens"] = [
            token for token in definition["added_tokens"] if token["content"] not in filled_in
        ]
    if header.metadata.get(_RULE) in _DIGITS_APART and header.metadata.get("tokenizer.ggml.model") == "gpt2":
        definition["pre_tokenizer"] = {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            ],
        }
    path.write_text(json.dumps(definition, ensure_ascii=False), encoding="utf-8")


def _filled_in(vocabulary: Mapping[str, int]) -> frozenset[str]:
    matches = {name: _FILLED_IN.fullmatch(name) for name in vocabulary}
    return frozenset(name for name, match in matches.items() if match and int(match[1]) == vocabulary[name])


def _forget_the_source(path: Path) -> None:
    # A run's id hashes this file: where the GGUF lay must not show in it.
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in ("name_or_path", "gguf_file", "local_files_only"):
        settings.pop(key, None)
    path.write_text(json.dumps(settings, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
