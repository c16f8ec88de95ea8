"""The other revision that a run of exp=audit is compared with: a finished run, or a model."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import FieldRejected, HarnessError, Rejected
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.runs.config.schema import RunConfig
from harness.runs.results.stored_run import StoredRun

KEY = "compare_to"

_KINDS = ("audit", "census")


@dataclass(frozen=True)
class Other:
    """The other revision: a finished run, or a model whose census is taken when it is needed."""

    stored: StoredRun | None
    model: ModelConfig | None
    fingerprint: str


def find_other(config: RunConfig[Any]) -> Other | None:
    """The revision that `compare_to` names. Raises `Rejected` for what is neither a model nor a finished run."""

    wanted = config.exp.compare_to
    if wanted is None:
        return None
    folder = Path(wanted).expanduser()
    if (folder / "manifest.json").is_file():
        stored = _finished(folder)
        return Other(stored, None, f"{stored.experiment}/{stored.run_id}")
    model = replace(config.model, name=wanted, revision=config.exp.compare_revision)
    try:
        return Other(None, model, resolve_identity(model).fingerprint)
    except Rejected as error:
        text = str(error).replace("model.name:", f"{KEY}:", 1).replace("model.revision:", "compare_revision:", 1)
        raise FieldRejected(text) from None


def _finished(folder: Path) -> StoredRun:
    allowed = "the folder of a finished audit or census, a folder of weights, or a hub name"
    try:
        stored = StoredRun(folder)
        kind, status = stored.experiment, stored.status
    except HarnessError as error:
        raise FieldRejected(f"{KEY}: {error}; allowed: {allowed}") from None
    if kind not in _KINDS or status != "complete":
        raise FieldRejected.key(KEY, f"{folder} (a {status} run of {kind})", allowed)
    return stored
