"""What exp=echo_token is asked, and what it refuses."""

from dataclasses import dataclass

from harness.errors import Rejected
from harness.models.answers.requirements import require_plain_weights
from harness.runs.experiment import CheckContext, Experiment, Needs
from harness.tokens.lookup import find_token
from harness.tokens.prompts.rules import BosRule
from harness.tokens.prompts.templates import input_output_template, version_stamp


@dataclass(frozen=True)
class EchoTokenConfig:
    """Parameters of `exp=echo_token`."""

    token: int | str | None = None
    """One token, by id or exact text; default: the tokens of the pools."""
    n_tokens: int = 64
    """Most tokens of a pool, drawn without replacement by `seed`."""
    n_shots: int = 20
    """Trials shown before the one to be completed."""
    n_seeds: int = 16
    """Sampled answers for each token."""
    top_k: int = 50
    top_p: float = 0.95
    temperature: float = 1.0
    no_repeat_ngram: int = 2
    """Forbid repeating an n-gram; 0: nothing is forbidden."""
    max_new_tokens: int = 10
    bos: BosRule = BosRule.AUTO
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in ("n_tokens", "n_shots", "n_seeds", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise Rejected.key(f"exp.{name}", getattr(self, name), "1 or more")
        if self.top_k < 0:
            raise Rejected.key("exp.top_k", self.top_k, "0 (no limit) or more")
        if not 0 < self.top_p <= 1:
            raise Rejected.key("exp.top_p", self.top_p, "above 0, at most 1")
        if not self.temperature > 0:
            raise Rejected.key("exp.temperature", self.temperature, "above 0")
        if self.no_repeat_ngram not in (0, *range(2, 10)):
            raise Rejected.key("exp.no_repeat_ngram", self.no_repeat_ngram, "0, or 2 to 9")


def check(context: CheckContext[EchoTokenConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    tokenizer = context.tokenizer
    if context.exp.token is not None:
        find_token(context.exp.token, context.facts.d_vocab, tokenizer, "exp.token")


EXPERIMENT = Experiment(
    name="echo_token",
    version=1,
    summary="Shown twenty identical echoes of a token, does the model echo it once more?",
    config=EchoTokenConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=lambda config, _: dict([version_stamp(input_output_template(config.exp.n_shots))]),
)
