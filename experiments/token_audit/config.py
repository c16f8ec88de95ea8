"""The parameters of exp=token_audit, and what it refuses."""

from dataclasses import dataclass

from harness.runs.experiment import Experiment, Needs


@dataclass(frozen=True)
class TokenAudit:
    """No parameters: the vocabulary audit always covers the whole vocabulary."""


EXPERIMENT = Experiment(
    name="token_audit",
    version=3,
    summary=(
        "What kind of token every id is (byte, special, part of a character, unreachable, ordinary), and what is lost."
    ),
    config=TokenAudit,
    needs=frozenset({Needs.TOKENIZER}),
)
