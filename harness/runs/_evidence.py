"""What is known of a model's tokens, kept from one run of a process to the next: a sweep asks the same of every job."""

import hashlib

from harness.models.embedding_rows import load_embedding_rows
from harness.models.identity import ModelIdentity
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.runs.config.schema import RunConfig
from harness.tokens.evidence import TokenEvidence

# The last one only: rows are large.
_KEPT: dict[tuple[object, ...], TokenEvidence] = {}


def token_evidence(
    identity: ModelIdentity, config: RunConfig, facts: VocabFacts, tokenizer: Tokenizer | None
) -> TokenEvidence:
    """The evidence about a run's model; its input rows are read from the weight files when they are first asked for."""
    templates = hashlib.sha256(repr(tokenizer.chat_templates if tokenizer is not None else ()).encode()).hexdigest()
    key = (identity, config.model, config.tokenizer, facts.sha256, templates)
    if key not in _KEPT:
        _KEPT.clear()
        _KEPT[key] = TokenEvidence(facts, tokenizer, lambda: load_embedding_rows(identity, config.model).embedding)
    return _KEPT[key]
