"""The parameters of exp=echo_token, and what it refuses."""

from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Count, Positive, must_be
from harness.models.answers.requirements import require_plain_weights
from harness.runs.experiment import CheckContext, Experiment, Needs, every_pool
from harness.tokens.lookup import find_token
from harness.tokens.prompts import input_output_template, version_stamp
from harness.tokens.prompts.rules import BosRule


@dataclass(frozen=True)
class EchoTokenConfig:
    """Parameters of `exp=echo_token`."""

    token: int | str | None = None
    """One token, by id or exact text; default: the tokens of the pools."""
    n_tokens: Count = 64
    """Most tokens of a pool, drawn without replacement by `seed`."""
    n_shots: Count = 20
    """Trials shown before the one to be completed."""
    n_seeds: Count = 16
    """Sampled answers for each token."""
    top_k: Annotated[int, must_be("0 (no limit) or more", lambda k: k >= 0)] = 50
    """Sampled answers draw from so many of the likeliest tokens."""
    top_p: Annotated[float, must_be("above 0, at most 1", lambda p: 0 < p <= 1)] = 0.95
    """And of these from the likeliest that together have this probability."""
    temperature: Positive = 1.0
    """Of sampled answers."""
    no_repeat_ngram: Annotated[int, must_be("0, or 2 to 9", lambda n: n == 0 or 2 <= n <= 9)] = 2
    """Forbid repeating an n-gram; 0: nothing is forbidden."""
    max_new_tokens: Count = 10
    """Longest answer, in tokens."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory."""


def check(context: CheckContext[EchoTokenConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    tokenizer = context.tokenizer
    if context.exp.token is not None:
        find_token(context.exp.token, context.facts.d_vocab, tokenizer)


EXPERIMENT = Experiment(
    name="echo_token",
    version=2,
    summary="Shown twenty identical echoes of a token, does the model echo it once more?",
    config=EchoTokenConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    pools=lambda config: () if config.exp.token is not None else every_pool(config),
    check=check,
    inputs=lambda config, _: dict([version_stamp(input_output_template(config.exp.n_shots))]),
)
