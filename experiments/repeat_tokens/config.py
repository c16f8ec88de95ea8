"""What exp=repeat_tokens is asked, and what it refuses."""

from dataclasses import dataclass

from harness.errors import Rejected
from harness.runs.experiment import CheckContext, Experiment, Needs


@dataclass(frozen=True)
class RepeatTokensConfig:
    """Parameters of `exp=repeat_tokens`."""

    seq_len: int = 25
    """Tokens in one half."""
    n_sequences: int = 64
    """Sequences of each pool."""
    top_heads: int = 4
    """Heads whose attention patterns are kept."""
    batch_size: int | None = None
    """Sequences in one pass; default: up to 16, fewer where memory is short."""

    def __post_init__(self) -> None:
        if self.seq_len < 2:
            raise Rejected.key(
                "exp.seq_len", self.seq_len, "2 or more (the second half's first token is not announced)"
            )
        for name in ("n_sequences", "top_heads"):
            if getattr(self, name) < 1:
                raise Rejected.key(f"exp.{name}", getattr(self, name), "1 or more")
        if self.batch_size is not None and self.batch_size < 1:
            raise Rejected.key("exp.batch_size", self.batch_size, "1 or more, or null to choose")


def check(context: CheckContext[RepeatTokensConfig]) -> None:
    """Refuse sequences that do not fit the model's context window."""
    facts, exp = context.facts, context.exp
    if facts.n_ctx is None:
        return
    bos = int(facts.bos_id is not None)
    longest = (facts.n_ctx - bos) // 2
    if exp.seq_len > longest:
        front = "BOS and " if bos else ""
        raise Rejected.key(
            "exp.seq_len",
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
