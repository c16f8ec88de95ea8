"""The run id: everything that changes the answer, and nothing else."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from harness.models.identity import ModelIdentity
from harness.models.organism_files import ANSWER_FILES
from harness.models.tokenizer_files import TokenizerIdentity, files_sha256, vocabulary_files
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import Experiment, Needs


def answer_key(
    config: RunConfig,
    experiment: Experiment,
    identity: ModelIdentity | None,
    tokenizer: TokenizerIdentity | None = None,
) -> dict[str, Any]:
    """What the answer depends on: the experiment's version, not the git commit; the weights, not their path."""
    key: dict[str, Any] = {
        "experiment": experiment.name,
        "version": experiment.version,
        "exp": plain(config.exp),
        "seed": config.seed,
    }
    if identity is not None:
        model = config.model
        key["model"] = {
            "weights": identity.fingerprint,
            "vocabulary": _vocabulary_sha256(identity.path),
            "dtype": model.dtype.value,
            "n_ctx": model.n_ctx,
            "compatibility_mode": model.compatibility_mode,
        }
    if Needs.MODEL in experiment.needs or Needs.TOKENIZER in experiment.needs:
        # By its files: the same folder may hold another tokenizer tomorrow.
        key["tokenizer"] = tokenizer.sha256 if tokenizer is not None else None
    if Needs.POOLS in experiment.needs:
        used = experiment.pools(config)
        key["pools"] = plain({name: spec for name, spec in config.pools.items() if name in used})
    inputs = experiment.inputs(config, identity)
    if inputs:
        key["inputs"] = dict(inputs)
    return key


def _vocabulary_sha256(folder: Path | None) -> str | None:
    """Hash of the small files beside local weights (tokenizer, organism); a hub commit already covers them."""
    if folder is None:
        return None
    organism = [folder / name for name in ANSWER_FILES if (folder / name).is_file()]
    return files_sha256(folder, [*vocabulary_files(folder), *organism])


def config_hash(key: Mapping[str, Any]) -> str:
    """sha256 of the answer key in one fixed spelling."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def run_id(label: str, digest: str) -> str:
    """`<model>-<8 hex digits>`, or only the digits of an experiment without a model."""
    return f"{label}-{digest[:8]}" if label else digest[:8]


def plain(value: Any) -> Any:
    """Dataclasses, enums, paths and tuples as the plain values JSON and YAML know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value
