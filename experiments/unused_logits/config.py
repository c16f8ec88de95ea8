"""The parameters of exp=unused_logits, and what it refuses."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from harness.constraints import Count, must_be
from harness.errors import FieldRejected, span
from harness.models.answers.requirements import require_plain_weights
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs
from harness.tokens.prompts.rules import BosRule


@dataclass(frozen=True)
class UnusedLogitsConfig:
    """Parameters of `exp=unused_logits`."""

    prompts: Annotated[
        tuple[str, ...], must_be("at least one prompt, none empty", lambda prompts: prompts and all(prompts))
    ] = (
        "The capital of France is",
        "Once upon a time there was a",
        "def main(argv):\n    return",
        "Please repeat the following word: hello. The word is:",
        "1, 2, 3, 4,",
    )
    """Texts after which logits are read."""
    text_file: Path | None = None
    """Running text (UTF-8); default: a page of ordinary prose."""
    window: Annotated[int, must_be("2 or more", lambda n: n >= 2)] = 128
    """Tokens of running text read at once."""
    n_windows: Count = 32
    """At most so many windows, from the beginning of the text."""
    top_k: Count = 50
    """A token counts as among the top where so few are likelier."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""


def check(context: CheckContext[UnusedLogitsConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    tokenizer = context.tokenizer
    facts, exp = context.facts, context.exp
    room = None if facts.n_ctx is None else facts.n_ctx - 1
    if room is not None and exp.window > room:
        raise FieldRejected.key("window", exp.window, f"{span(2, room)} with this model's window of {facts.n_ctx}")
    for prompt in exp.prompts:
        n = len(tokenizer.encode(prompt))
        if room is not None and n > room:
            raise FieldRejected(f"prompts: {prompt[:40]!r} is {n} tokens, allowed: at most {room}")


def inputs(config: RunConfig[UnusedLogitsConfig], _: object) -> dict[str, str]:
    """The bytes of the running text. Raises `Rejected` where there is no such file."""
    path = config.exp.text_file
    if path is None:
        return {}
    if not path.is_file():
        raise FieldRejected.key("text_file", str(path), "a text file")
    return {"text": hashlib.sha256(path.read_bytes()).hexdigest()}


EXPERIMENT = Experiment(
    name="unused_logits",
    version=2,
    summary="Raw logits and true probabilities of unused tokens, for prompts and at every position of running text.",
    config=UnusedLogitsConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=inputs,
)
