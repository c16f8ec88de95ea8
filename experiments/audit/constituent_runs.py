"""Configs of the runs that exp=audit is made of."""

from typing import Any

from harness.models.config import ModelConfig
from harness.runs.config.schema import RunConfig
from harness.runs.part_config import part_config


def undertrained_config(config: RunConfig[Any]) -> RunConfig[Any]:
    """Indicators, candidates and their verification."""
    exp = config.exp
    return part_config(
        config,
        "undertrained",
        percentile=exp.percentile,
        unused_ids=exp.unused_ids,
        bos=exp.bos,
        batch_size=exp.batch_size,
    )


def census_config(config: RunConfig[Any], model: ModelConfig | None = None) -> RunConfig[Any]:
    """The census of the run's model, or of another."""
    exp = config.exp
    return part_config(
        config, "census", model, n_tokens=exp.n_tokens, chat=exp.chat, bos=exp.bos, batch_size=exp.batch_size
    )
