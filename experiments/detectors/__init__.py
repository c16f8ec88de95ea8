"""Which detector finds the glitch tokens of a model for how many queries? All of them on one ground truth.

The ground truth is the census of the same model: a finished one below results_dir (or `exp.census`), else it is taken
first. One query is one token through one prompt, so a verdict costs as many queries as the census has tasks that count
for this model; every detector gets `exp.budget_share` of what asking every token would cost. A detector that runs
tokens through the model for anything else (entropy, activations) pays for that too; passes that no such budget covers
are counted beyond it and enter `queries_fraction`. The answer a verdict is read from has logits too: what active_census
reads there (how close the token came to being said), and glitchprober's activations of the tokens it asked about, cost
no further query. Detectors never see training counts; where these are known, they are a second ground truth.

Precision, recall and F1 are those of the tokens a detector reports. Most report only tokens whose verdict they bought,
and cannot recall more than `recall_ceiling_at_10pct`; rule_random, glitchprober and active_census also report tokens
they did not ask.

Metrics, per detector: precision, recall, f1, roc_auc (of its scores, bought verdicts included), queries_fraction (all
queries and passes over the price of the whole census), budget_fraction (those within the budget), recall_at_10pct
(of what it would report once a tenth of that price is spent), asked_recall_at_10pct (of tokens found by asking alone),
recall_auc (area under the latter against queries up to the budget, over that of a detector that asks glitch tokens
only), tokens_processed, predicted; each a mean over seeds with ci_low and ci_high (Student t, kept within 0 and 1).
`<detector>/exposures_le_<n>/...`: the same against "shown n times or less".
`indicator/<name>/...`: weight indicators by themselves; precision and recall of their lowest 2 %.

Arrays (arrays.safetensors):

| name                           | axes       | meaning                                                            |
|--------------------------------|------------|--------------------------------------------------------------------|
| ids, glitch                    | token      | tokens with a verdict, int64; 1 glitch token, 0 not, int8          |
| exposures                      | token      | int64, only where training counts are known                        |
| grid                           | point      | int64, queries                                                     |
| ideal                          | point      | recall of a detector that asks glitch tokens only                  |
| <detector>/recall_curve        | seed point | share of glitch tokens whose verdict was bought                    |
| <detector>/predicted           | seed token | int8, 1 reported                                                   |
| <detector>/scores              | seed token | float32, higher for glitch tokens                                  |
| <detector>/progress/spent      | seed step  | int64, queries before each report it would have made; -1 none      |
| <detector>/progress/f1         | seed step  | F1 of that report                                                  |
| fpr                            | rate       | false-positive rates of the ROC curves                             |
| <detector>/roc/<truth>         | rate       | true-positive rate, mean over seeds; truth: census, exposures_le_n |
| indicator/<name>/roc/<truth>   | rate       |                                                                    |

Details: truth {source, tasks, tokens_per_query, calibration}, detectors [name], skipped {name: reason}, indicators
[name], unused {rule, ids}, budget, price, by_exposures [{low, high, n, glitch, mean}].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.detectors.figures import FIGURES
from experiments.detectors.measure import measure_detectors
from experiments.detectors.tables import TABLES, headline
from harness.errors import Rejected
from harness.glitch.census.questions import BosRule, ChatRule
from harness.glitch.census.stored import census_inputs
from harness.glitch.detectors.roster import NAMES, RosterSettings
from harness.glitch.indicators import known_unused_ids
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment, Needs
from harness.runs.requirements import require_plain_weights, require_tokenizer


@dataclass(frozen=True)
class DetectorsConfig(RosterSettings):
    """Parameters of `exp=detectors`; those of one detector are below its name."""

    detectors: tuple[str, ...] = NAMES
    """Which are compared."""
    budget_share: float = 0.1
    """Queries each may spend, as a share of what the whole census costs."""
    n_seeds: int = 5
    """Times each is run, with detector seeds 0, 1, ... (from the run's seed on)."""
    census: Path | None = None
    """Folder of a finished census; default: the newest complete one of this model below results_dir, else its own."""
    unused_ids: tuple[int, ...] = ()
    """Ids known to be unused, for the indicators; default: from the tokenizer."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.detectors if name not in NAMES]
        if unknown or not self.detectors or len(set(self.detectors)) < len(self.detectors):
            raise Rejected.key("exp.detectors", list(self.detectors), f"one or more of {', '.join(NAMES)}, each once")
        if not 0 < self.budget_share <= 1:
            raise Rejected.key("exp.budget_share", self.budget_share, "a share above 0, at most 1")
        if self.n_seeds < 1:
            raise Rejected.key("exp.n_seeds", self.n_seeds, "1 or more")
        if self.batch_size is not None and self.batch_size < 1:
            raise Rejected.key("exp.batch_size", self.batch_size, "1 or more")


def check(context: CheckContext) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    require_tokenizer(context)
    assert context.facts is not None
    if context.exp.unused_ids:
        known_unused_ids(context.facts, context.exp.unused_ids)


def run(run: Run) -> Outcome:
    """Establish the truth, run every detector, compare."""

    return measure_detectors(run)


def inputs(config: RunConfig, identity: ModelIdentity | None) -> Mapping[str, str]:
    """The census that is taken for the truth: with another one it is another run."""

    return census_inputs(config.exp.census, config.results_dir, identity)


EXPERIMENT = Experiment(
    name="detectors",
    version=2,
    summary="Every published detector of glitch tokens and our own, on one census, with one budget of queries.",
    config=DetectorsConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=inputs,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
