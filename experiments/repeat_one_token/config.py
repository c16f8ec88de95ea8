"""The parameters of exp=repeat_one_token, and what it refuses."""

from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Count, must_be
from harness.errors import FieldRejected, Rejected
from harness.runs.experiment import CheckContext, Experiment, Needs

LONGEST = 512
"""Positions by default, where the context holds so many."""
SHORTEST = 4
"""BOS and three copies: two of them come after another."""


@dataclass(frozen=True)
class RepeatOneTokenConfig:
    """Parameters of `exp=repeat_one_token`."""

    n_tokens: Count = 64
    """Tokens of each pool, as many of every pool: at most so many, and at most what the smallest pool has."""
    length: Annotated[int, must_be(f"{SHORTEST} or more", lambda n: n >= SHORTEST)] | None = None
    """Positions of a sequence, BOS included; default: the model's context, at most 512."""
    batch_size: Count | None = None
    """Sequences in one pass; default: up to 16, fewer where memory is short."""


def length_of(exp: RepeatOneTokenConfig, n_ctx: int | None) -> int:
    """Positions of a sequence, BOS included."""
    if exp.length is not None:
        return exp.length
    return LONGEST if n_ctx is None else min(n_ctx, LONGEST)


def check(context: CheckContext[RepeatOneTokenConfig]) -> None:
    """Refuse sequences that do not fit the model's context window, and pools of nothing but tokens with a job."""
    facts, exp = context.facts, context.exp
    if facts.n_ctx is not None and length_of(exp, facts.n_ctx) > facts.n_ctx:
        raise FieldRejected.key(
            "length", exp.length, f"{SHORTEST} to {facts.n_ctx}, the tokens of the context (BOS included)"
        )
    if length_of(exp, facts.n_ctx) < SHORTEST:
        raise Rejected(f"model.n_ctx: got a window of {facts.n_ctx} tokens, allowed: at least {SHORTEST}")
    for pool in context.pools.values():
        if not facts.without_a_job(pool.ids):
            raise Rejected(
                f"pools.{pool.name}: got {len(pool.ids)} ids, each with a job (BOS, EOS, padding, ...), "
                "allowed: at least one other"
            )


EXPERIMENT = Experiment(
    name="repeat_one_token",
    version=1,
    summary="One token repeated to the end of the context: where it is no longer said, and if it becomes a sink.",
    config=RepeatOneTokenConfig,
    needs=frozenset({Needs.MODEL, Needs.POOLS}),
    check=check,
)
