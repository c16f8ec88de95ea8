"""How many glitch tokens does GlitchHunter find, at what price? Clusters of the embedding graph, tested by samples.

The tokens' input embeddings become a graph of nearest neighbours, its communities are tested by asking a sample of
each to be repeated, kept communities become the next graph, and what is left when nothing changes is asked whole.
Every parameter, its default and its source: `glitch/detectors/glitchhunter/settings.py`. A verdict is the model's own
answer, asked for when it is needed; with `exp.from_census=true` it is read from a census and charged as if it had
been asked for. Where a census of the model is there, the tokens found are compared with it.

Arrays (arrays.safetensors), over the tokens hunted among, in order of id:

| name           | axes       | meaning                                                                          |
|----------------|------------|----------------------------------------------------------------------------------|
| ids            | token      | int64                                                                            |
| xy             | token axis | float32, coordinates of the picture (nothing is measured in them)                |
| community      | token      | int64, community in the first graph, numbered by falling size                    |
| is_kept        | token      | int8, whether that community was kept; -1 where nothing was tested               |
| last_iteration | token      | int64, the last graph the token was part of                                      |
| asked_at       | token      | int64, place in the order of asking, from 0; -1 where it was never asked         |
| verdict        | token      | int8: 1 fails, 0 passes, -1 never asked                                          |
| census         | token      | int8: 1 glitch token, 0 not, -1 no verdict; only where there is a census         |

Details: iterations [{number, n_tokens, k, resolution, n_edges, n_communities, n_kept, n_tokens_kept, n_queries, n_hits,
quality, modularity}], rest {n_asked, n_hits}, plan {n, hits_needed, kept_at_base_rate, kept_at_cluster_rate}, tasks,
calibration {task: sentence}, census (run id or null), census_tasks, projection, tokens {id: shown text of those found}.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.glitchhunter.figures import FIGURES, TABLES, headline
from experiments.glitchhunter.measure import measure_hunt
from harness.errors import Rejected
from harness.glitch.census.questions import BosRule, ChatRule
from harness.glitch.census.stored import census_inputs
from harness.glitch.detectors.glitchhunter import GlitchHunterSettings
from harness.glitch.graph.choices import Projection
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.registry import Experiment, Needs
from harness.runs.requirements import require_plain_weights
from harness.tokens.prompts import Task


@dataclass(frozen=True)
class GlitchHunterConfig(GlitchHunterSettings):
    """Parameters of `exp=glitchhunter`: how the hunt proceeds, whom it asks, what it is compared with."""

    tasks: tuple[Task, ...] = (Task.REPETITION,)
    """A token fails if it fails any of these. The paper asks for repetition while it hunts."""
    from_census: bool = False
    """Take verdicts from the census (all its tasks) instead of asking the model."""
    census: Path | None = None
    """Folder of a finished census; default: the newest of this model below results_dir, if there is one."""
    budget: int | None = None
    """Queries at most; default: no limit."""
    projection: Projection = Projection.AUTO
    """How the picture's coordinates are found."""
    chat: ChatRule = ChatRule.AUTO
    """Whether prompts go through the tokenizer's chat template where it has one."""
    bos: BosRule = BosRule.AUTO
    """Whether plain prompts begin with BOS."""
    batch_size: int | None = None
    """Prompts per pass; default: from memory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise Rejected.key("exp.tasks", [task.value for task in self.tasks], "tasks, each once, at least one")
        for name in ("budget", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise Rejected.key(f"exp.{name}", value, "1 or more")


def check(context: CheckContext) -> None:
    """Refuse what cannot work before weights are loaded."""

    require_plain_weights(context.config.model)
    assert context.facts is not None
    n_tokens = context.facts.d_vocab - len(context.facts.special_ids)
    if context.exp.k >= n_tokens:
        allowed = f"1 to {n_tokens - 1}, neighbours among the {n_tokens} tokens that are not special"
        raise Rejected.key("exp.k", context.exp.k, allowed)


def run(run: Run) -> Outcome:
    """Hunt, compare, prepare the picture."""

    return measure_hunt(run)


def inputs(config: RunConfig, identity: ModelIdentity | None) -> Mapping[str, str]:
    """The census that is taken for the truth: with another one it is another run."""

    return census_inputs(config.exp.census, config.results_dir, identity)


EXPERIMENT = Experiment(
    name="glitchhunter",
    version=1,
    summary="GlitchHunter: cluster the embedding graph, test a sample of every cluster, keep what fails, start over.",
    config=GlitchHunterConfig,
    run=run,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER, Needs.POOLS}),
    check=check,
    inputs=inputs,
    headline=headline,
    figures=FIGURES,
    tables=TABLES,
)
