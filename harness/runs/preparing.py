"""Everything known about a run before any weights are loaded: who model and tokenizer are, what the run is called."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import fields_below
from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity, resolve_identity
from harness.models.recognised import carries
from harness.models.tokenizer_files import TokenizerIdentity, resolve_tokenizer
from harness.runs import registry
from harness.runs._manifest import Status
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import Experiment, Needs
from harness.runs.identity import answer_key, config_hash, plain, run_id
from harness.runs.results.stored_run import StoredRun

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to be computed, or to be found."""

    config: RunConfig[Any]
    experiment: Experiment[Any]
    identity: ModelIdentity | None
    """None where no model takes part."""
    tokenizer: TokenizerIdentity | None
    """The tokenizer named in the config; None where the model's own is used, or none."""
    digest: str
    run_id: str
    pool_bytes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The bytes that ids of published pools must stand for, whether or not the figures fit this model."""

    @property
    def folder(self) -> Path:
        """Where the run lives."""
        return self.config.results_dir / self.experiment.name / self.run_id

    @property
    def has_other_reference(self) -> bool:
        """Whether the run in the folder was drawn with other published figures beside it."""
        return bool(StoredRun(self.folder).config.get("reference") != plain(self.config.reference))

    @property
    def has_other_code(self) -> bool:
        """Whether the run in the folder was made by other code of the experiment than there is now."""
        made_by = StoredRun(self.folder).manifest.get("code_sha256")
        return made_by is not None and made_by != registry.code_sha256(self.experiment.name)


@fields_below("exp.")
def prepare(config: RunConfig[Any]) -> Prepared:
    """Find out who model and tokenizer are and what the run is called. Raises `Rejected`."""
    experiment = registry.load(config.exp_name)
    identity = resolve_identity(config.model) if uses_model(config, experiment) else None
    tokenizer = None
    if config.tokenizer.name is not None and experiment.needs & {Needs.MODEL, Needs.TOKENIZER}:
        tokenizer = resolve_tokenizer(config.tokenizer.name)
    pool_bytes = dict(config.reference.bytes) if config.reference is not None else {}
    # First: how published pools are drawn depends on whether these are the published model's.
    config = _with_fitting_reference(config, identity, tokenizer)
    digest = config_hash(answer_key(config, experiment, identity, tokenizer))
    label = identity.label if identity else tokenizer.label if tokenizer else ""
    return Prepared(config, experiment, identity, tokenizer, digest, run_id(label, digest), pool_bytes)


def _with_fitting_reference(
    config: RunConfig[Any], identity: ModelIdentity | None, tokenizer: TokenizerIdentity | None
) -> RunConfig[Any]:
    """Published figures stand beside the model they are of, and beside no other, whatever it is called."""
    if config.reference is None or config.reference.model is None:
        return config
    if identity is not None and carries(identity, tokenizer, config.reference.model):
        return config
    log.info("the published figures of this pool are of another model: only measured ones are shown")
    return replace(config, reference=None)


def uses_model(config: RunConfig[Any], experiment: Experiment[Any]) -> bool:
    """Whether a model takes part.

    An experiment that needs no more than a tokenizer gets the model's own and learns its number of rows; where
    `tokenizer.name` is given it works on that alone, unless a model other than the default is requested as well.
    """
    if Needs.MODEL in experiment.needs:
        return True
    is_model_requested = config.tokenizer.name is None or config.model.name != ModelConfig().name
    return Needs.TOKENIZER in experiment.needs and is_model_requested


def find_complete(prepared: Prepared) -> StoredRun | None:
    """The complete run with the same id, unless `force` asks for it to be computed again."""
    if prepared.config.force or not (prepared.folder / "manifest.json").is_file():
        return None
    run = StoredRun(prepared.folder)
    if run.status != Status.COMPLETE.value or run.manifest.get("config_hash") != prepared.digest:
        return None
    if prepared.has_other_code:
        log.warning(
            "%s was found complete, made by other code of this experiment; force=true computes it again", run.run_id
        )
    else:
        log.info("%s is complete; not computed again (force=true does)", prepared.folder)
    return run
