"""The parameters of exp=repeat_tokens, and what it refuses."""

from dataclasses import dataclass
from typing import Annotated

from harness.constraints import Count, must_be
from harness.errors import FieldRejected
from harness.runs.experiment import CheckContext, Experiment, Needs


@dataclass(frozen=True)
class RepeatTokensConfig:
    """Parameters of `exp=repeat_tokens`."""

    seq_len: Annotated[int, must_be("2 or more (the second half's first token is not announced)", lambda n: n >= 2)] = (
        25
    )
    """Tokens in one half."""
    n_sequences: Count = 64
    """Sequences of each pool."""
    top_heads: Count = 4
    """Heads whose attention patterns are kept."""
    batch_size: Annotated[int, must_be("1 or more, or null to choose", lambda n: n >= 1)] | None = None
    """Sequences in one pass; default: up to 16, fewer where memory is short."""


def check(context: CheckContext[RepeatTokensConfig]) -> None:
    """Refuse sequences that do not fit the model's context window."""
    facts, exp = context.facts, context.exp
    if facts.n_ctx is None:
        return
    bos = int(facts.bos_id is not None)
    longest = (facts.n_ctx - bos) // 2
    if exp.seq_len > longest:
        front = "BOS and " if bos else ""
        raise FieldRejected.key(
            "seq_len",
            exp.seq_len,
            f"2 to {longest} ({front}two halves within the {facts.n_ctx} tokens of the context)",
        )


EXPERIMENT = Experiment(
    name="repeat_tokens",
    version=1,
    summary="Random sequences seen twice: how well unused tokens are copied, against common ones, and by which heads.",
    config=RepeatTokensConfig,
    needs=frozenset({Needs.MODEL, Needs.POOLS}),
    check=check,
)
