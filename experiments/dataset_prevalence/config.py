"""The parameters of exp=dataset_prevalence, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.dataset_prevalence.documents.source import Format, fingerprint
from experiments.dataset_prevalence.sources import census_fingerprint, check_documents, find_source, named_tokens
from harness.constraints import Count
from harness.errors import FieldRejected
from harness.models.identity import ModelIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import CheckContext, Experiment, Needs
from harness.tokens.pool_spec import PoolSpec


@dataclass(frozen=True)
class DatasetPrevalenceConfig:
    """Parameters of `exp=dataset_prevalence`."""

    path: str | None = None
    """A file, a folder of files, or the name of a data set on the hub."""
    format: Format = Format.AUTO
    """How the file is read; default: by its ending."""
    field: str | None = None
    """The field of a record that holds the text; default: by the layouts known."""
    max_documents: Count | None = None
    """Read only so many documents from the start; default: all."""
    subset: str | None = None
    """Of a data set of the hub: which of its configurations."""
    split: str = "train"
    """Of a data set of the hub."""
    revision: str | None = None
    """Of a data set of the hub; default: its present commit."""
    tokens: PoolSpec | None = None
    """The glitch tokens, as ids or a pool's rule (byte_unused, exposures:0:1); default: those of a census."""
    census: Path | None = None
    """Folder of a finished census of this model; default: the newest below results_dir."""
    chunk: Count = 2_000
    """Documents that are counted, and lost when a run is interrupted, together."""

    def __post_init__(self) -> None:
        if self.tokens is not None and self.census is not None:
            raise FieldRejected("tokens and ", "census contradict each other: give one of them")


def inputs(config: RunConfig[DatasetPrevalenceConfig], identity: ModelIdentity | None) -> Mapping[str, str]:
    """The bytes of the data set, and the census the glitch tokens come from."""

    found = {"data": fingerprint(find_source(config.exp))}
    if config.exp.tokens is None:
        assert identity is not None
        found["census"] = census_fingerprint(config, identity)
    return found


def check(context: CheckContext[DatasetPrevalenceConfig]) -> None:
    """Refuse unknown tokens and a data set that cannot be read to its end."""

    if context.exp.tokens is not None:
        named_tokens(context.exp.tokens, context.facts, context.config.seed, context.tokenizer)
    check_documents(context.exp)


EXPERIMENT = Experiment(
    name="dataset_prevalence",
    version=1,
    summary="Share of glitch tokens in a data set, in tokens and in documents, with the most frequent ones.",
    config=DatasetPrevalenceConfig,
    needs=frozenset({Needs.MODEL, Needs.TOKENIZER}),
    check=check,
    inputs=inputs,
)
