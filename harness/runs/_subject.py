"""The model and the tokens under study, as far as they are known before any weights are loaded."""

from collections.abc import Mapping

from harness.models.identity import ModelIdentity
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.pools import Pool


class Subject:
    """What a run is about. A part that this run does not have raises `RuntimeError` where it is asked for."""

    def __init__(
        self,
        identity: ModelIdentity | None,
        facts: VocabFacts | None,
        pools: Mapping[str, Pool],
        tokenizer: Tokenizer | None,
    ) -> None:
        self.pools = pools
        self._identity, self._facts, self._tokenizer = identity, facts, tokenizer

    @property
    def has_model(self) -> bool:
        """Whether a model takes part, and with it `identity` and `facts`."""
        return self._identity is not None

    @property
    def has_tokenizer(self) -> bool:
        """Whether the tokens have texts."""
        return self._tokenizer is not None

    @property
    def identity(self) -> ModelIdentity:
        """The model, pinned down to its bytes."""
        if self._identity is None:
            raise RuntimeError("no model takes part in this run (Needs.MODEL)")
        return self._identity

    @property
    def facts(self) -> VocabFacts:
        """What is known of the model's token ids."""
        if self._facts is None:
            raise RuntimeError("no model takes part in this run (Needs.MODEL)")
        return self._facts

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        if self._tokenizer is None:
            raise RuntimeError("this run has no tokenizer (Needs.TOKENIZER)")
        return self._tokenizer
