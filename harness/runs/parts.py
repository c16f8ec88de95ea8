"""Another experiment's run as part of this one: done in its own folder, and only where it is not there yet."""

from dataclasses import replace
from typing import Any

from harness.models.config import ModelConfig
from harness.runs import registry
from harness.runs.config.schema import RunConfig
from harness.runs.context import CheckContext
from harness.runs.lifecycle import execute
from harness.runs.results.stored_run import StoredRun


def part_config(config: RunConfig, name: str, model: ModelConfig | None = None, **parameters: Any) -> RunConfig:
    """What experiment `name` is asked for: everything as in `config`, its own parameters, another model if given.

    Raises `Rejected` for parameters that the experiment refuses.
    """
    exp = registry.load(name).config(**parameters)
    return replace(config, exp_name=name, exp=exp, reference=None, model=model or config.model)


def check_part(context: CheckContext, part: RunConfig) -> None:
    """Refuse now what the part would refuse later (same model and vocabulary as `context`)."""
    experiment = registry.load(part.exp_name)
    experiment.check(CheckContext(part, part.exp, context.facts, context.pools, context.tokenizer))


def run_part(part: RunConfig) -> StoredRun:
    """The complete run of a part: a folder of its own under the same results_dir, resumed or reused like any other."""

    return execute(part)
