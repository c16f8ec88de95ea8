"""A typed config as text."""

from typing import Any

from omegaconf import OmegaConf

from harness.runs.config.schema import RunConfig
from harness.runs.identity import plain


def config_yaml(config: RunConfig[Any]) -> str:
    """The resolved config as YAML, defaults of the experiment included."""
    values = plain(config)
    values["exp"] = {"name": values.pop("exp_name"), **values["exp"]}
    return OmegaConf.to_yaml(OmegaConf.create(values))
