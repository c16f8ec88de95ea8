"""Which tokens does the model fail on? Every token through repetition, spelling and length, spliced in by its id.

A task counts only where the model passes it on at least 0.9 of the tokens it knows well; a token is a glitch token if
it fails a task that counts. Prompts and their sources: `harness/tokens/prompts/templates.py`; when an answer is right:
`harness/glitch/census/matching.py`; symptoms and types: `symptoms.py`, `token_types.py` beside it. Special tokens are
not asked; a row of the embedding without a token of the tokenizer is asked for repetition, by its id.

Arrays (arrays.safetensors), all over the tokens tested, in order of id:

| name              | axes  | meaning                                                      |
|-------------------|-------|--------------------------------------------------------------|
| ids               | token | int64                                                        |
| glitch            | token | int8: 1 fails, 0 passes, -1 no verdict                       |
| <task>/passed     | token | int8: 1, 0, -1 not asked or no right answer for this token   |
| exposures         | token | int64, only where training counts are known                  |

Details (details.json): rule_version, questions {task: {version, source, text, chat, bos, max_new_tokens}}, informative
[task], calibration {task: {passed, n, where, informative, sentence, examples}}, is_complete, tokens_per_query,
n_special, n_without_token, by_exposures [{low, high, planted, n, glitch}], sample (what was tested).
"""

from dataclasses import dataclass

from experiments.census.figures import FIGURES, TABLES, headline
from experiments.census.measure import ask_tokens, calibrate_tasks, choose_tokens, summarise_census
from harness.errors import Rejected
from harness.glitch.census.asking import Interviewer
from harness.glitch.census.matching import RULE_VERSION
from harness.glitch.census.questions import CENSUS_TASKS, BosRule, ChatRule, census_questions, prompt_versions
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.models.answers.causal_model import CausalModel
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment, Needs
from harness.runs.requirements import require_plain_weights, require_tokenizer


@dataclass(frozen=True)
class CensusConfig:
    """Parameters of `exp=census`."""

    n_tokens: int | None = None
    """How many tokens, drawn without replacement by `seed`; default: every token."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    ask_all: bool = False
    """Also ask the tasks that say nothing about this model."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory. Changes no verdict in float32 but for ties."""
    shard: int = 512
    """Tokens that are kept or lost together when a run is interrupted."""

    def __post_init__(self) -> None:
        for name in ("n_tokens", "batch_size", "shard"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise Rejected.key(f"exp.{name}", value, "1 or more")


def check(context: CheckContext) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    require_tokenizer(context)
    assert context.facts is not None
    most = context.facts.d_vocab - len(context.facts.special_ids)
    if context.exp.n_tokens is not None and context.exp.n_tokens > most:
        raise Rejected.key("exp.n_tokens", context.exp.n_tokens, f"1 to {most}, the tokens that are not special")


def run(run: Run) -> Outcome:
    """Calibrate the tasks, ask every token, count."""

    assert run.facts is not None and run.tokenizer is not None
    questions = census_questions(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
    interviewer = open_interview(run)
    try:
        calibrations = calibrate_tasks(run, interviewer, questions)
        ids = choose_tokens(run, interviewer.vocabulary)
        found = ask_tokens(run, interviewer, questions, calibrations, ids)
    finally:
        interviewer.model.close()
    return summarise_census(run, interviewer.vocabulary, questions, calibrations, found)


def open_interview(run: Run) -> Interviewer:
    """The run's model, loaded without hooks, and its vocabulary."""

    assert run.identity is not None and run.facts is not None and run.tokenizer is not None
    with run.timer("load"):
        model = CausalModel.load(run.identity, run.config.model)
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
    return Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)


EXPERIMENT = Experiment(
    name="census",
    version=1,
    summary="Every token through repetition, spelling and length: which are glitch tokens, and how they fail.",
    config=CensusConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=lambda *_: {"rule": RULE_VERSION, **prompt_versions(CENSUS_TASKS)},
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
