"""What a model's config.json says of its vocabulary, window and special ids."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import AutoConfig

from harness.errors import Rejected
from harness.models._hub import config_json_path
from harness.models._weights import read_config_json
from harness.models.identity import ModelIdentity

# Config classes disagree on the name; the first one present is the trained window.
_WINDOW_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")
_VOCAB_KEYS = ("vocab_size", "padded_vocab_size", "n_vocab")
# What config files keep the part of a model under that reads something else than text.
_OTHER_INPUTS = (
    "vision_config",
    "audio_config",
    "speech_config",
    "vision_tower",
    "mm_vision_tower",
    "image_token_index",
)
_OTHER_INPUTS_CLASS = re.compile(r"For(ConditionalGeneration|ImageTextToText|Vision2Seq|MultimodalLM)$")
_SPECIAL_KEYS = ("bos_token_id", "eos_token_id", "pad_token_id")


@dataclass(frozen=True)
class ConfigFile:
    """The part of config.json that concerns token ids."""

    d_vocab: int
    """Rows of the embedding."""
    n_ctx: int | None
    """Longest sequence; None where the config states none (Mamba, ALiBi)."""
    bos_id: int | None
    special_ids: frozenset[int]
    """Of bos, eos and pad, those stated."""
    architectures: tuple[str, ...] = ()
    """transformers' classes that the weights were saved from."""
    is_encoder_decoder: bool = False
    reads_more_than_text: bool = False
    """Whether it takes images or sound, too."""


def load_config_file(identity: ModelIdentity, trust_remote_code: bool = False) -> ConfigFile:
    """Read a model's config.json, nested text configs included.

    What the file leaves to its config class's defaults is asked of transformers.
    Raises `Rejected` where no vocabulary size can be found.
    """
    content = _content(identity)
    nested = content.get("text_config")
    levels = [nested, content] if isinstance(nested, dict) else [content]
    d_vocab = _first_int(levels, _VOCAB_KEYS)
    n_ctx = _first_int(levels, _WINDOW_KEYS)
    if d_vocab is None or n_ctx is None:
        defaults = _with_defaults(identity, trust_remote_code)
        d_vocab = d_vocab or _first_int([defaults], _VOCAB_KEYS)
        n_ctx = n_ctx or _first_int([defaults], _WINDOW_KEYS)
    if d_vocab is None or d_vocab < 1:
        raise Rejected(f"model.name: got {identity.name!r}: its config states no vocabulary size")
    bos_id = _first_int(levels, ("bos_token_id",))
    special = frozenset(i for level in levels for key in _SPECIAL_KEYS for i in _ids(level.get(key)) if i < d_vocab)
    saved_from = content.get("architectures")
    architectures = tuple(map(str, saved_from)) if isinstance(saved_from, list) else ()
    is_encoder_decoder = content.get("is_encoder_decoder") is True
    more = any(content.get(key) is not None for key in _OTHER_INPUTS)
    more = more or any(map(_OTHER_INPUTS_CLASS.search, architectures))
    return ConfigFile(
        d_vocab,
        n_ctx,
        bos_id if bos_id in special else None,
        special,
        architectures,
        is_encoder_decoder,
        more and not is_encoder_decoder,
    )


def _content(identity: ModelIdentity) -> Mapping[str, Any]:
    if identity.path is not None:
        return read_config_json(identity.path)

    parsed: dict[str, Any] = json.loads(config_json_path(identity.name, identity.revision).read_text(encoding="utf-8"))
    return parsed


def _with_defaults(identity: ModelIdentity, trust_remote_code: bool) -> Mapping[str, Any]:

    try:
        full = AutoConfig.from_pretrained(
            identity.location, revision=identity.revision, trust_remote_code=trust_remote_code
        )
    except (ValueError, KeyError, OSError, ImportError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Rejected(f"model.name: got {identity.name!r}: transformers cannot read its config ({reason})") from error
    text = full.get_text_config()
    return {key: getattr(text, key, None) for key in (*_VOCAB_KEYS, *_WINDOW_KEYS)}


def _first_int(levels: Iterable[Mapping[str, Any]], keys: Iterable[str]) -> int | None:
    keys = tuple(keys)
    found = (level.get(key) for level in levels for key in keys)
    return next((value for value in found if isinstance(value, int) and not isinstance(value, bool)), None)


def _ids(value: object) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(i for i in values if isinstance(i, int) and not isinstance(i, bool) and i >= 0)
