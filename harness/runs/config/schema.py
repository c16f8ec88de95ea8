"""The typed config that every run shares; an experiment adds its own dataclass under `exp`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from harness.constraints import must_be
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.recognised import ModelMarks
from harness.tokens.pool_spec import PoolSpec

ExpConfig = TypeVar("ExpConfig")
"""An experiment's own frozen dataclass."""


class TrackerKind(Enum):
    """Where metrics and figures are logged besides the run folder."""

    WANDB = "wandb"
    CSV = "csv"
    NONE = "none"


@dataclass(frozen=True)
class CacheConfig:
    """The opt-in store of activations on disk."""

    store: bool = False
    max_gb: Annotated[float, must_be("a size above 0", lambda size: size > 0)] = 10.0
    """Beyond this size nothing more is stored, and the run says so."""
    folder: Path | None = None
    """Default: `<results_dir>/activations`."""


@dataclass(frozen=True)
class TrackerConfig:
    """Experiment tracking."""

    kind: TrackerKind = TrackerKind.WANDB
    project: str = "glitch-harness"
    entity: str | None = None


@dataclass(frozen=True)
class Reference:
    """Published figures for the pools of a run, shown beside the measured ones."""

    source: str
    """Where they were published."""
    condition: str
    """Model, lengths, seeds they were measured with."""
    pools: Mapping[str, PoolSpec] = field(default_factory=dict)
    """The pools they were measured on: a run with another spec under the same name does not show them."""
    with_replacement: bool = False
    """Whether the ids of a sequence were drawn with replacement: a run of these pools then draws so, too."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Flat, keyed as in metrics.json: `<pool>/<name>`."""
    bytes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """For pools of single bytes, those that the ids stand for, in order: elsewhere the pool is refused."""
    model: ModelMarks | None = None
    """The model they were measured on: beside any other they are not shown. None: shown beside every model."""


@dataclass(frozen=True)
class RunConfig(Generic[ExpConfig]):
    """Everything that was requested of one run."""

    exp_name: str
    exp: ExpConfig
    """The experiment's own frozen dataclass."""
    model: ModelConfig = field(default_factory=ModelConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    pools: Mapping[str, PoolSpec] = field(default_factory=dict)
    reference: Reference | None = None
    seed: Annotated[int, must_be("0 or a positive integer", lambda seed: seed >= 0)] = 0
    """Varies which tokens are drawn; the model and its weights do not depend on it."""
    force: bool = False
    """Compute again although a complete run with the same id exists."""
    results_dir: Path = Path("results")
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    sweep_id: str | None = None
    """Set by a sweep; never changes the answer."""
