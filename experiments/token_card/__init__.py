"""Everything that can be found out about one token, on one page.

Its text and bytes, what kind of id it is, which merge made it and what longer tokens it is part of; where its rows
stand among all rows (every indicator of `harness/glitch/indicators`, with its rank); its nearest neighbours; how often
training showed it, where that is known; how likely the model says it when Magikarp's three prompts ask for it; its
answers to the three tasks of the census, and whether these tell anything about this model; its logit, probability and
rank where well-known tokens stand before it, and what the model expects behind it.

records.jsonl: a line per thing asked of the model, {item, kind (verification, census, context), ...}.

Arrays (arrays.safetensors):

| name                | axes    | meaning                                                                        |
|---------------------|---------|--------------------------------------------------------------------------------|
| indicator/<name>    | d_vocab | float64, of every token; `norm_in`, `norm_out`: lengths of the rows            |
| context/ids         | context | int64, the well-known token that stands before it                              |
| context/logit       | context | float32, the raw logit of the token there                                      |
| context/logprob     | context | float32, natural logarithm of its probability                                  |
| context/rank        | context | int64, 1: the most likely of all                                               |

Details: card (below), indicators [{name, value, rank, n, is_main}], neighbours {matrix: [{id, token, similarity}]},
superstrings [{id, token}], made_of, part_of, verification [..], census [..], next [{id, token, prob}], context {..}.
"""

from dataclasses import dataclass

from experiments.token_card.figures import FIGURES, TABLES, headline
from experiments.token_card.measure import measure_card
from harness.errors import Rejected
from harness.glitch.census.questions import BosRule, ChatRule
from harness.glitch.indicators import known_unused_ids
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment, Needs
from harness.runs.requirements import require_plain_weights, require_tokenizer
from harness.tokens.lookup import find_token


@dataclass(frozen=True)
class TokenCardConfig:
    """Parameters of `exp=token_card`."""

    token: int | str | None = None
    """The token by its id, or by its exact text (leading space included); a text of several tokens is refused."""
    n_neighbours: int = 10
    n_known: int = 64
    """Most well-known tokens that a task is tried on, and that stand before the token; drawn by `seed`."""
    unused_ids: tuple[int, ...] | None = None
    """Ids known to be unused; default: as in exp=undertrained."""
    chat: ChatRule = ChatRule.AUTO
    bos: BosRule = BosRule.AUTO
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in ("n_neighbours", "n_known"):
            if getattr(self, name) < 1:
                raise Rejected.key(f"exp.{name}", getattr(self, name), "1 or more")


def check(context: CheckContext) -> None:
    """Refuse what is not one token, before weights are loaded."""

    require_plain_weights(context.config.model)
    tokenizer = require_tokenizer(context)
    assert context.facts is not None
    if context.exp.token is None:
        raise Rejected.key("exp.token", None, f"an id from 0 to {context.facts.d_vocab - 1}, or the text of one token")
    find_token(context.exp.token, context.facts.d_vocab, tokenizer, "exp.token")
    if context.exp.unused_ids is not None:
        known_unused_ids(context.facts, context.exp.unused_ids)


def run(run: Run) -> Outcome:
    """Look it up, ask for it, put it together."""

    return measure_card(run)


EXPERIMENT = Experiment(
    name="token_card",
    version=1,
    summary="Everything known about one token: text, merges, neighbours, indicators, exposures, answers, logits.",
    config=TokenCardConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
