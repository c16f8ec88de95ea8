"""The config of another experiment whose run is part of this one."""

from dataclasses import replace
from typing import Any

from harness.models.config import ModelConfig
from harness.runs import registry
from harness.runs.config.schema import RunConfig
from harness.runs.config.typed import to_dataclass
from harness.runs.experiment import CheckContext


def part_config(
    config: RunConfig[Any], name: str, model: ModelConfig | None = None, **parameters: Any
) -> RunConfig[Any]:
    """The config of experiment `name`: everything as in `config`, its own parameters, another model if given.

    Raises `Rejected` for parameters that the experiment refuses.
    """
    exp = to_dataclass(registry.load(name).config, parameters, "exp.")
    return replace(config, exp_name=name, exp=exp, reference=None, model=model or config.model)


def check_part(context: CheckContext[Any], part: RunConfig[Any]) -> None:
    """Refuse now what the part would refuse later (same model and vocabulary as `context`)."""
    registry.load(part.exp_name).check(CheckContext(part, context))
