"""Is this that model? Told by what its files hold, never by its name. Needs no torch and loads no tokenizer."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download

from harness.models._hub import config_json_path, repository_files
from harness.models._weights import CONFIG_FILE
from harness.models.identity import ModelIdentity
from harness.models.tokenizer_files import TokenizerIdentity

logger = logging.getLogger(__name__)

_VOCABULARY_FILES = ("tokenizer.json", "vocab.json")


@dataclass(frozen=True)
class ModelMarks:
    """What a model's files say, as far as it takes to tell it from others."""

    config: Mapping[str, str | int] = field(default_factory=dict)
    """Entries of config.json."""
    vocabulary: Mapping[str, int] = field(default_factory=dict)
    """Ids of some tokens, spelt as the vocabulary spells them."""


def carries(identity: ModelIdentity, tokenizer: TokenizerIdentity | None, marks: ModelMarks) -> bool:
    """Whether a model, with another tokenizer where one is given, has all these marks; false where files are amiss."""
    try:
        config = _read(_model_file(identity, CONFIG_FILE))
        if any(config.get(key) != value for key, value in marks.config.items()):
            return False
        return not marks.vocabulary or any(
            all(vocabulary.get(name) == token for name, token in marks.vocabulary.items())
            for vocabulary in _vocabularies(identity, tokenizer)
        )
    except (OSError, ValueError, AttributeError, TypeError) as error:
        logger.info("%s is not recognised: %s", identity.label, error)
        return False


def _vocabularies(identity: ModelIdentity, tokenizer: TokenizerIdentity | None) -> Iterator[dict[str, int]]:
    for name in _VOCABULARY_FILES:
        path = tokenizer.folder / name if tokenizer is not None else _model_file(identity, name)
        if path is not None and path.is_file():
            content = _read(path)
            yield _all_tokens(content) if name == "tokenizer.json" else content


def _all_tokens(content: Mapping[str, Any]) -> dict[str, int]:
    """Of a tokenizer.json; a Unigram lists its tokens in the order of their ids."""
    vocabulary = content["model"]["vocab"]
    known = vocabulary if isinstance(vocabulary, dict) else {entry[0]: i for i, entry in enumerate(vocabulary)}
    return {**known, **{token["content"]: token["id"] for token in content.get("added_tokens", ())}}


def _model_file(identity: ModelIdentity, name: str) -> Path | None:
    if identity.path is not None:
        return identity.path / name
    if name == CONFIG_FILE:
        return config_json_path(identity.name, identity.revision)
    if name not in repository_files(identity.name, identity.revision):
        return None
    return Path(hf_hub_download(identity.name, name, revision=identity.revision))


def _read(path: Path | None) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    return content if isinstance(content, dict) else {}
