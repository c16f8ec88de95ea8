"""The model and the tokens under study, as far as they are known before any weights are loaded."""

from harness.models.identity import ModelIdentity
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.evidence import TokenEvidence
from harness.tokens.pools import Pool, Pools
from harness.tokens.text import shown


class Subject:
    """What a run is about. A part that this run does not have raises `RuntimeError` where it is asked for."""

    def __init__(
        self,
        identity: ModelIdentity | None,
        facts: VocabFacts | None,
        pools: Pools | dict[str, Pool] | None,
        tokenizer: Tokenizer | None,
        evidence: TokenEvidence | None = None,
    ) -> None:
        self._pools, self._evidence = pools, evidence
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
    def pools(self) -> Pools | dict[str, Pool]:
        """The pools of the config; one that the experiment did not declare is resolved when it is asked for."""
        if self._pools is None:
            raise RuntimeError("this run has no pools (Needs.POOLS, together with Needs.MODEL)")
        return self._pools

    @property
    def evidence(self) -> TokenEvidence:
        """What is known of the model's tokens without running it: facts, tokenizer, input rows."""
        if self._evidence is None:
            self._evidence = TokenEvidence(self.facts, self._tokenizer)
        return self._evidence

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

    def shown(self, token: int) -> str:
        """A token as a person may read it; its id where there is no tokenizer."""
        return str(token) if self._tokenizer is None else shown(self._tokenizer.token_text(token))
