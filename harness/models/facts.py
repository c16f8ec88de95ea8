"""What is known of a model's token ids before any weight is loaded."""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from harness.errors import Rejected
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.config_file import ConfigFile, load_config_file
from harness.models.identity import ModelIdentity
from harness.models.tokenizers import Tokenizer, load_tokenizer

logger = logging.getLogger(__name__)

EXPOSURES_FILE = "exposures.safetensors"


@dataclass(frozen=True, eq=False)
class Exposures:
    """How often each token id occurred in training; arrays of int64 [d_vocab]."""

    total: np.ndarray
    text: np.ndarray
    repeats: np.ndarray
    tasks: np.ndarray


@dataclass(frozen=True, eq=False)
class VocabFacts:
    """The token ids of one model with one tokenizer."""

    label: str
    """The model's label."""
    d_vocab: int
    """Embedding rows: ids run from 0 to d_vocab - 1."""
    n_ctx: int | None
    """Longest sequence, `model.n_ctx` taken into account; None where nothing states one (Mamba)."""
    n_tokenizer: int | None
    """How many ids the tokenizer has a token for; None without a tokenizer."""
    unnamed_ids: tuple[int, ...]
    """Embedding rows that no token of the tokenizer leads to (padding of the matrix); empty without a tokenizer."""
    special_ids: frozenset[int]
    """The tokenizer's special ids; without a tokenizer bos, eos and pad of config.json."""
    bos_id: int | None
    """The tokenizer's bos. Without a tokenizer config.json's, the only evidence of how training sequences began."""
    byte_ids: tuple[int | None, ...]
    """Id of each of the 256 bytes, None for a byte without a token; empty where the tokenizer has no byte tokens."""
    merges: tuple[int, ...]
    """Ids in the order their BPE merges were learnt; empty where there are none."""
    exposures: Exposures | None
    """From the model's own folder; None where training counts are not known."""

    @cached_property
    def sha256(self) -> str:
        """Hex digest of everything above but the label: what pools are drawn from."""
        parts = [self.d_vocab, self.n_ctx, self.n_tokenizer, self.unnamed_ids, sorted(self.special_ids), self.bos_id]
        digest = hashlib.sha256(json.dumps([*parts, self.byte_ids, self.merges]).encode())
        if self.exposures is not None:
            digest.update(self.exposures.total.astype("<i8").tobytes())
        return digest.hexdigest()


def load_facts(
    identity: ModelIdentity,
    config: ModelConfig,
    tokenizer_config: TokenizerConfig | None = None,
    tokenizer: Tokenizer | None = None,
) -> VocabFacts:
    """Gather the facts from config.json, tokenizer and exposures; no weights are read.

    `tokenizer` saves loading it again. Raises `Rejected` for a window or exposures that contradict the model.
    """
    file = load_config_file(identity, config.trust_remote_code)
    tokenizer = tokenizer or load_tokenizer(identity, config, tokenizer_config)
    by_ids = VocabFacts(
        label=identity.label,
        d_vocab=file.d_vocab,
        n_ctx=_window(file, config),
        n_tokenizer=None,
        unnamed_ids=(),
        special_ids=file.special_ids,
        bos_id=file.bos_id,
        byte_ids=(),
        merges=(),
        exposures=load_exposures(identity.path, file.d_vocab) if identity.path is not None else None,
    )
    if tokenizer is None:
        logger.info("%s has no tokenizer: tokens are known by their ids only", identity.label)
        return by_ids
    return _with_tokenizer(by_ids, tokenizer)


def load_exposures(folder: Path, d_vocab: int) -> Exposures | None:
    """The training counts beside a model's weights, each int64 [d_vocab]; None where the folder has none.

    Raises `Rejected` where the file is damaged, lacks a stream or counts another vocabulary.
    """
    path = folder / EXPOSURES_FILE
    if not path.is_file():
        return None

    try:
        arrays = load_file(path)
        found = Exposures(**{name: arrays[name].astype(np.int64) for name in ("total", "text", "repeats", "tasks")})
    except (SafetensorError, KeyError) as error:
        raise Rejected(f"model.name: got {str(folder)!r}: {EXPOSURES_FILE} cannot be read ({error})") from error
    for name, counts in vars(found).items():
        if counts.shape != (d_vocab,):
            raise Rejected(
                f"model.name: got {str(folder)!r}: {EXPOSURES_FILE} holds {name} of shape {counts.shape}, "
                f"allowed: ({d_vocab},), the model's vocabulary"
            )
    return found


def _with_tokenizer(facts: VocabFacts, tokenizer: Tokenizer) -> VocabFacts:
    """`facts` with what the tokenizer knows of its ids; ids beyond the embedding are left out."""
    d_vocab = facts.d_vocab
    beyond = sorted(i for i in tokenizer.known_ids if i >= d_vocab)
    if beyond:
        logger.warning("%d tokens (ids from %d) have no row in the embedding of %d", len(beyond), beyond[0], d_vocab)
    byte_ids = tuple(i if i is not None and i < d_vocab else None for i in map(tokenizer.byte_id, range(256)))
    bos_id = tokenizer.bos_id
    return replace(
        facts,
        n_tokenizer=tokenizer.n_tokens,
        unnamed_ids=tuple(i for i in range(d_vocab) if i not in tokenizer.known_ids),
        special_ids=frozenset(i for i in tokenizer.special_ids if i < d_vocab),
        bos_id=bos_id if bos_id is not None and bos_id < d_vocab else None,
        byte_ids=byte_ids if any(i is not None for i in byte_ids) else (),
        merges=tuple(i for i in tokenizer.merges() if i < d_vocab),
    )


def _window(file: ConfigFile, config: ModelConfig) -> int | None:
    if config.n_ctx is None:
        return file.n_ctx
    if file.n_ctx is not None and config.n_ctx > file.n_ctx:
        raise Rejected.key("model.n_ctx", config.n_ctx, f"2 to {file.n_ctx}, the window of {config.name}")
    return config.n_ctx
