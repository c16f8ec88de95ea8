"""What is known of a model's token ids before any weight is loaded."""

import logging
from dataclasses import replace

from harness.errors import Rejected
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.config_file import ConfigFile, load_config_file
from harness.models.exposures import load_exposures, load_planted
from harness.models.identity import ModelIdentity
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts

logger = logging.getLogger(__name__)


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
        role_ids=file.special_ids,
        bos_id=file.bos_id,
        byte_ids=(),
        merges=(),
        exposures=load_exposures(identity.path, file.d_vocab) if identity.path is not None else None,
        planted=load_planted(identity.path) if identity.path is not None else {},
    )
    if tokenizer is None:
        logger.info("%s has no tokenizer: tokens are known by their ids only", identity.label)
        return by_ids
    return with_tokenizer(by_ids, tokenizer)


def with_tokenizer(facts: VocabFacts, tokenizer: Tokenizer) -> VocabFacts:
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
        role_ids=facts.role_ids | frozenset(i for i in tokenizer.role_ids if i < d_vocab),
        bos_id=bos_id if bos_id is not None and bos_id < d_vocab else None,
        byte_ids=byte_ids if any(i is not None for i in byte_ids) else (),
        merges=tuple(i for i in tokenizer.merges() if i < d_vocab),
    )


def _window(file: ConfigFile, config: ModelConfig) -> int | None:
    if config.n_ctx is None:
        return file.n_ctx
    if file.n_ctx is not None and config.n_ctx > file.n_ctx:
        if file.n_ctx < 2:
            raise Rejected.key("model.n_ctx", config.n_ctx, f"null: {config.name} has a window of {file.n_ctx} token")
        raise Rejected.key("model.n_ctx", config.n_ctx, f"2 to {file.n_ctx}, the window of {config.name}")
    return config.n_ctx
