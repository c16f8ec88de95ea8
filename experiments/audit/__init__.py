"""Is this model fit to be released, as far as its tokens go? Every token with the reasons to look at it, in one list.

Three looks at the vocabulary: what kind every id is (`harness/tokens/vocabulary_audit.py`), what the weights say and
the verification of what they say (`exp=undertrained`), and the census (`exp=census`). The last two are runs of their
own below the same results_dir, resumed and reused like any other; `details["parts"]` names them.

A token is listed for a reason: `glitch` (fails a task of the census), `undertrained` (verified: the model hardly ever
says it when asked), `untrained_row` (no text can ask for it, and its weights look like those of half the verified
tokens), `unreachable` (its text encodes to something else), `no_token` (a row that no token of the tokenizer leads to).

`exp.max_glitch_rate=` makes it a gate: exit code 3 where the share of glitch tokens among the tokens tested is above
it, and where the census is uninformative, so that no share can be stated: a gate that cannot see stays shut.

`exp.compare_to=` names another revision: a model (with `exp.compare_revision=`), or the folder of a finished audit or
census. Compared are tokens of the same id and text with a verdict in both, on the tasks informative for both; the
difference of the shares (this one minus the other) has Newcombe's interval for paired proportions.

records.jsonl: a line per id: {item, id, token, category, byte_type, is_reachable, indicator, indicator_rank,
is_candidate, max_prob, verified, glitch, symptom, type, <task>/passed, exposures, reasons, before, change}.
`is_reachable`: its text encodes to it; `indicator_rank` 1 is the most suspicious row; `before`: the other revision's
verdict; `change`: became_glitch or repaired.

Arrays (arrays.safetensors), over the rows of the embedding:

| name      | axes    | meaning                                        |
|-----------|---------|------------------------------------------------|
| indicator | d_vocab | float64, the main indicator; low is suspicious |
| glitch    | d_vocab | int8: 1 fails, 0 passes, -1 no verdict         |
| before    | d_vocab | int8, the same of the other revision, if any   |

Details: parts {name: run id}, rule_version, questions {task: {version, text}}, informative [task], main_indicator,
undertrained_informative, gate {max_glitch_rate, passed, sentence}, compared {name, tasks, both, became, repaired,
neither, unmatched}.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.audit.figures import FIGURES, TABLES, headline
from experiments.audit.measure import measure_audit
from experiments.audit.parts import census_config, undertrained_config
from experiments.audit.revisions import find_other
from harness.errors import Rejected
from harness.glitch.census.questions import BosRule, ChatRule
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.parts import check_part
from harness.runs.registry import Experiment, Needs


@dataclass(frozen=True)
class AuditConfig:
    """Parameters of `exp=audit`."""

    max_glitch_rate: float | None = None
    """The gate: the largest share of glitch tokens among those tested; default: no gate."""
    compare_to: str | None = None
    """Another revision: a hub name, a folder of weights, or the folder of a finished audit or census."""
    compare_revision: str | None = None
    """Branch, tag or commit of `compare_to` on the hub."""
    n_tokens: int | None = None
    """How many tokens the census tests, drawn by `seed`; default: every token."""
    percentile: float = 2.0
    """Share of reachable tokens, in percent, that are verified as under-trained."""
    unused_ids: tuple[int, ...] | None = None
    """Ids known to be unused; default: as in exp=undertrained."""
    chat: ChatRule = ChatRule.AUTO
    bos: BosRule = BosRule.AUTO
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.max_glitch_rate is not None and not 0 <= self.max_glitch_rate <= 1:
            raise Rejected.key("exp.max_glitch_rate", self.max_glitch_rate, "a share from 0 to 1")
        if self.compare_revision is not None and self.compare_to is None:
            raise Rejected("exp.compare_revision: it needs exp.compare_to=<hub name> beside it")


def inputs(config: RunConfig, _: ModelIdentity | None) -> Mapping[str, str]:
    """The weights, or the run, that this one is compared with."""

    other = find_other(config)
    return {} if other is None else {"compare_to": other.fingerprint}


def check(context: CheckContext) -> None:
    """Refuse what one of the parts would refuse."""

    for part in (undertrained_config(context.config), census_config(context.config)):
        check_part(context, part)


def run(run: Run) -> Outcome:
    """The parts, then the list."""

    return measure_audit(run)


EXPERIMENT = Experiment(
    name="audit",
    version=1,
    summary="A model's tokens before release: vocabulary, under-trained tokens and census in one list, with a gate.",
    config=AuditConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=inputs,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
