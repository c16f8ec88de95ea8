"""Which tokens do the weights say were hardly trained, and does the model fail to say them when asked?

Land & Bartolo 2024 (Magikarp): indicators from the weights alone (`harness/glitch/indicators`), candidates at the
`exp.percentile` lowest of the main indicator over reachable tokens, each asked for with three prompts, its id spliced
in. Under-trained iff its probability stays below 0.01 at the first three greedy positions of every prompt.

A prompt that does not fit the model's window is left out, and said so. The test means something only if the model says
tokens it knows well: their share with a probability of 0.01 or more is measured beside it.

Arrays (arrays.safetensors), over the vocabulary: `indicator/<name>` float64, `category` int8 (index into details'
`categories`); over the candidates, ascending by the main indicator: `candidates` int64, `max_prob` and
`<prompt>/max_prob` float32.

Details: indicators [name], main_indicator, is_tied, unused {ids, rule}, categories, prompts {name: {version, text, bos,
fits}}, calibration {n, rate, where, informative}, low {category: [{id, token, indicator, below}]}, by_exposures,
published (the table for a GPT-2 size; absent for any other model).
"""

from dataclasses import dataclass

from experiments.undertrained.figures import FIGURES, TABLES, headline
from experiments.undertrained.measure import measure_undertrained
from harness.errors import Rejected
from harness.glitch.census.questions import BosRule, prompt_versions
from harness.glitch.indicators import known_unused_ids
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment, Needs
from harness.runs.requirements import require_plain_weights, require_tokenizer
from harness.tokens.prompts import Task

PROMPTS = (Task.MAGIKARP_INPUT_OUTPUT, Task.MAGIKARP_EXPLAIN, Task.MAGIKARP_REPEATS)
"""The three verification prompts."""


@dataclass(frozen=True)
class UndertrainedConfig:
    """Parameters of `exp=undertrained`."""

    percentile: float = 2.0
    """Share of reachable tokens, in percent, that become candidates; 100 verifies them all."""
    unused_ids: tuple[int, ...] | None = None
    """Ids known to be unused; default: the published list of the model's family, else bytes that no text holds."""
    bos: BosRule = BosRule.AUTO
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.percentile <= 100:
            raise Rejected.key("exp.percentile", self.percentile, "above 0, at most 100")


def check(context: CheckContext) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    require_tokenizer(context)
    assert context.facts is not None
    if context.exp.unused_ids is not None:
        known_unused_ids(context.facts, context.exp.unused_ids)


def run(run: Run) -> Outcome:
    """Indicators, candidates, verification."""

    return measure_undertrained(run)


EXPERIMENT = Experiment(
    name="undertrained",
    version=1,
    summary="Under-trained tokens by their weights, verified by asking for them (Magikarp).",
    config=UndertrainedConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=lambda *_: prompt_versions(PROMPTS),
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
