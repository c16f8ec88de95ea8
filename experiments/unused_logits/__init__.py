"""How much probability do unused tokens get: for prompts, and at every position of running text?

A raw logit is no probability, not even up to exp(): an article on unused tokens read a logit of -1.7 as probability
0.18. Here both numbers stand side by side, at every position, with the probability of the whole slice of unused tokens
and how often one of them is among the likeliest `exp.top_k`. Every pool of the config is treated alike.

Arrays (arrays.safetensors). `position` runs over all positions of all sequences of a kind (prompts, text):

| name                        | axes           | meaning                                              |
|-----------------------------|----------------|------------------------------------------------------|
| <kind>/sequence             | position       | int64, number of the sequence                        |
| <pool>/<kind>/total         | position       | probability of the whole pool                        |
| <pool>/<kind>/best_rank     | position       | int64, rank of its likeliest token; 1 is best        |
| <pool>/ids                  | token          | int64                                                |
| <pool>/<kind>/logit_mean    | token          | raw logit, mean over positions                       |
| <pool>/<kind>/prob_mean     | token          | probability, mean over positions                     |
| <pool>/<kind>/prob_max      | token          | its largest                                          |
| <pool>/last/logit           | prompt token   | raw logit at each prompt's last position             |
| <pool>/last/prob            | prompt token   | probability there                                    |

Details: pools {pool: {label, n_ids}}, top_k, d_vocab, prompts [str], text {source, n_windows, window}, last {pool: [{
prompt, id, token, logit, exp_logit, prob, rank}]}.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from experiments.unused_logits.figures import FIGURES, TABLES, headline
from experiments.unused_logits.measure import measure_logits
from harness.errors import Rejected
from harness.glitch.census.questions import BosRule
from harness.runs.config.schema import RunConfig
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment, Needs
from harness.runs.requirements import require_plain_weights, require_tokenizer


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


def check(context: CheckContext) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    tokenizer = require_tokenizer(context)
    facts, exp = context.facts, context.exp
    assert facts is not None
    room = None if facts.n_ctx is None else facts.n_ctx - 1
    if room is not None and exp.window > room:
        raise Rejected.key("exp.window", exp.window, f"2 to {room} with this model's window")
    for prompt in exp.prompts:
        n = len(tokenizer.encode(prompt))
        if room is not None and n > room:
            raise Rejected(f"exp.prompts: {prompt[:40]!r} is {n} tokens, allowed: at most {room}")


def inputs(config: RunConfig, _: object) -> dict[str, str]:
    """The bytes of the running text. Raises `Rejected` where there is no such file."""
    path = config.exp.text_file
    if path is None:
        return {}
    if not path.is_file():
        raise Rejected.key("exp.text_file", str(path), "a text file")
    return {"text": hashlib.sha256(path.read_bytes()).hexdigest()}


def run(run: Run) -> Outcome:
    """Read prompts and text, look at the logits of every pool."""

    return measure_logits(run)


EXPERIMENT = Experiment(
    name="unused_logits",
    version=1,
    summary="Raw logits and true probabilities of unused tokens, for prompts and at every position of running text.",
    config=UnusedLogitsConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=inputs,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
