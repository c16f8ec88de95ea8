"""What exp=unused_logits is asked, and what it refuses."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Rejected
from harness.models.answers.requirements import require_plain_weights
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs
from harness.tokens.prompts.rules import BosRule


@dataclass(frozen=True)
class UnusedLogitsConfig:
    """Parameters of `exp=unused_logits`."""

    prompts: tuple[str, ...] = (
        "The capital of France is",
        "Once upon a time there was a",
        "def main(argv):\n    return",
        "Please repeat the following word: hello. The word is:",
        "1, 2, 3, 4,",
    )
    text_file: Path | None = None
    """Running text (UTF-8); default: a page of ordinary prose."""
    window: int = 128
    """Tokens of running text read at once."""
    n_windows: int = 32
    """At most so many windows, from the beginning of the text."""
    top_k: int = 50
    bos: BosRule = BosRule.AUTO

    def __post_init__(self) -> None:
        if not self.prompts or not all(self.prompts):
            raise Rejected.key("exp.prompts", list(self.prompts), "at least one prompt, none empty")
        for name in ("n_windows", "top_k"):
            if getattr(self, name) < 1:
                raise Rejected.key(f"exp.{name}", getattr(self, name), "1 or more")
        if self.window < 2:
            raise Rejected.key("exp.window", self.window, "2 or more")


def check(context: CheckContext[UnusedLogitsConfig]) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    tokenizer = context.tokenizer
    facts, exp = context.facts, context.exp
    room = None if facts.n_ctx is None else facts.n_ctx - 1
    if room is not None and exp.window > room:
        raise Rejected.key("exp.window", exp.window, f"2 to {room} with this model's window")
    for prompt in exp.prompts:
        n = len(tokenizer.encode(prompt))
        if room is not None and n > room:
            raise Rejected(f"exp.prompts: {prompt[:40]!r} is {n} tokens, allowed: at most {room}")


def inputs(config: RunConfig[UnusedLogitsConfig], _: object) -> dict[str, str]:
    """The bytes of the running text. Raises `Rejected` where there is no such file."""
    path = config.exp.text_file
    if path is None:
        return {}
    if not path.is_file():
        raise Rejected.key("exp.text_file", str(path), "a text file")
    return {"text": hashlib.sha256(path.read_bytes()).hexdigest()}


EXPERIMENT = Experiment(
    name="unused_logits",
    version=1,
    summary="Raw logits and true probabilities of unused tokens, for prompts and at every position of running text.",
    config=UnusedLogitsConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=inputs,
)
