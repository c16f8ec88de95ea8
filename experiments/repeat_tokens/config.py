"""The parameters of exp=repeat_tokens, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from harness.constraints import Count, Share, must_be
from harness.errors import FieldRejected, Rejected
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs


class Draws(Enum):
    """How tokens are drawn from the pools."""

    MATCHED = "matched"
    """As many different tokens from every pool, without replacement, each half beside a control."""
    UNMATCHED = "unmatched"
    """As many as each pool has, without replacement: pools of different sizes are then no fair comparison."""
    REPLACEMENT = "replacement"
    """With replacement from as many tokens of every pool, as in the literature: no control."""


@dataclass(frozen=True)
class RepeatTokensConfig:
    """Parameters of `exp=repeat_tokens`."""

    seq_len: Annotated[int, must_be("2 or more (the second half's first token is not announced)", lambda n: n >= 2)] = (
        25
    )
    """Tokens in one half."""
    n_sequences: Count = 64
    """Halves of each pool; each is seen after itself, after another half and after its own tokens shuffled."""
    draws: Draws | None = None
    """`matched`, `unmatched`, `replacement`; default: matched, for published pools as they were drawn."""
    own_share: Share | None = None
    """Of a half's tokens, at most this share are the pool's, companions the rest; default: 0.25, unmatched 1."""
    top_heads: Count = 4
    """Heads whose attention patterns are kept."""
    batch_size: Annotated[int, must_be("1 or more, or null to choose", lambda n: n >= 1)] | None = None
    """Sequences in one pass; default: up to 16, fewer where memory is short."""


def draws_of(config: RunConfig[RepeatTokensConfig]) -> Draws:
    """How this run draws: as requested, else as the published figures of its pools were drawn, else matched."""
    if config.exp.draws is not None:
        return config.exp.draws
    published = config.reference is not None and config.reference.with_replacement
    return Draws.REPLACEMENT if published else Draws.MATCHED


def own_share_of(exp: RepeatTokensConfig, draws: Draws) -> float:
    """At most this share of a half's tokens are the pool's: few by default, since many help or hinder one another.

    What tokens of one pool do to one another's copies happens in every sequence, so nothing measured within the pool
    shows it, and intervals over tokens come out too short.
    """
    if exp.own_share is not None:
        return exp.own_share
    return 0.25 if draws is Draws.MATCHED else 1.0


def check(context: CheckContext[RepeatTokensConfig]) -> None:
    """Refuse sequences that do not fit the model's context window, and pools too small to be halved."""
    facts, exp = context.facts, context.exp
    if facts.n_ctx is not None:
        _refuse_longer(exp.seq_len, facts.n_ctx, has_bos=facts.bos_id is not None)
    if draws_of(context.config) is not Draws.REPLACEMENT:
        for pool in context.pools.values():
            refuse_too_few(pool.name, len(pool.ids), len(pool.ids))


def refuse_too_few(pool: str, n_units: int, n_ids: int) -> None:
    """Raise `Rejected` for a pool without two tokens that the model can tell apart: one needs another as a control."""
    if n_units < 2:
        told_apart = f", {n_units} that the model can tell apart" if n_units < n_ids else ""
        raise Rejected(
            f"pools.{pool}: got {n_ids} ids{told_apart}, allowed: two or more, one half's and its control's "
            "(exp.draws=replacement measures without a control)"
        )


def _refuse_longer(seq_len: int, n_ctx: int, has_bos: bool) -> None:
    longest = (n_ctx - int(has_bos)) // 2
    if seq_len <= longest:
        return
    front = "BOS and " if has_bos else ""
    if longest < 2:
        raise Rejected(
            f"model.n_ctx: got a window of {n_ctx} tokens, allowed: at least {4 + int(has_bos)} ({front}two halves of "
            "two tokens)"
        )
    raise FieldRejected.key(
        "seq_len", seq_len, f"2 to {longest} ({front}two halves within the {n_ctx} tokens of the context)"
    )


def _inputs(config: RunConfig[RepeatTokensConfig], _: ModelIdentity | None) -> Mapping[str, str]:
    # Where exp.draws is left open the pools decide, and they are known by their ids alone elsewhere in the run id.
    return {} if config.exp.draws is not None else {"draws": draws_of(config).value}


EXPERIMENT = Experiment(
    name="repeat_tokens",
    version=4,
    summary="Random sequences seen twice: how well unused tokens are copied, against common ones, and by which heads.",
    config=RepeatTokensConfig,
    needs=frozenset({Needs.MODEL, Needs.POOLS}),
    check=check,
    inputs=_inputs,
)
