"""manifest.json: what was run, with what, and how it ended."""

import platform
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from importlib import metadata
from typing import Any

from harness.models.identity import ModelIdentity
from harness.models.tokenizer_files import TokenizerIdentity
from harness.runs.config.schema import RunConfig
from harness.runs.experiment import Experiment
from harness.runs.folder import SCHEMA_VERSION, RunFolder
from harness.runs.identity import plain
from harness.runs.registry import PROJECT, code_sha256
from harness.version import __version__

_PACKAGES = (
    "torch", "transformers", "transformer-lens", "tokenizers", "safetensors", "numpy", "scipy", "pandas", "matplotlib",
    "hydra-core", "omegaconf", "wandb", "circuitsvis", "igraph", "leidenalg", "scikit-learn", "einops", "jaxtyping",
)  # fmt: skip


class Status(Enum):
    """How far a run got."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Manifest:
    """The facts of one run; written first and again at its end."""

    schema_version: int
    experiment: str
    experiment_version: int
    run_id: str
    config_hash: str
    status: Status
    started: str
    ended: str | None
    error: str | None
    exit_code: int
    git: dict[str, Any] | None
    python: str
    packages: dict[str, str]
    model: dict[str, Any] | None
    seed: dict[str, Any]
    sweep_id: str | None
    notes: tuple[str, ...]
    resumed: int
    code_sha256: str | None = None
    """Of the experiment's own Python files; None in runs of older versions."""
    tokenizer: dict[str, Any] | None = None
    """The tokenizer named in the config; None where it is the model's own."""
    warnings: tuple[str, ...] = ()
    """The notes that say that something is wrong."""

    def ended_as(self, status: Status, error: str | None = None, exit_code: int = 0) -> "Manifest":
        """The same run, ended now."""
        return replace(self, status=status, error=error, ended=now(), exit_code=exit_code)


def write_manifest(folder: RunFolder, manifest: Manifest) -> None:
    """manifest.json, whole."""
    folder.write_json("manifest.json", plain(manifest))


def now() -> str:
    """The time in UTC to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def first_manifest(
    config: RunConfig, experiment: Experiment, identity: ModelIdentity | None, run_id: str, digest: str, resumed: int
) -> Manifest:
    """The manifest a run starts with (`status: running`)."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        experiment=experiment.name,
        experiment_version=experiment.version,
        run_id=run_id,
        config_hash=digest,
        status=Status.RUNNING,
        started=now(),
        ended=None,
        error=None,
        exit_code=0,
        git=git_state(),
        python=platform.python_version(),
        packages=package_versions(),
        model=model_facts(config, identity),
        seed={"seed": config.seed, "varies": "which tokens are drawn and every resampling; not the model"},
        sweep_id=config.sweep_id,
        notes=(),
        resumed=resumed,
        code_sha256=code_sha256(experiment.name),
    )


def model_facts(config: RunConfig, identity: ModelIdentity | None) -> dict[str, Any] | None:
    """What the manifest says of the model before it is booted."""
    if identity is None:
        return None
    facts = {
        "name": identity.name,
        "label": identity.label,
        "source": identity.source.value,
        "revision": identity.revision,
        "weights_sha256": identity.weights_sha256,
        "dtype": config.model.dtype.value,
        "device": config.model.device,
        "compatibility_mode": config.model.compatibility_mode,
    }
    return facts if identity.gguf is None else {**facts, "gguf": plain(identity.gguf)}


def tokenizer_facts(tokenizer: TokenizerIdentity | None) -> dict[str, Any] | None:
    """What the manifest says of a tokenizer that was named in the config."""
    if tokenizer is None:
        return None
    return {"name": tokenizer.name, "label": tokenizer.label, "sha256": tokenizer.sha256}


def package_versions() -> dict[str, str]:
    """Installed versions of what the numbers depend on."""
    found = {"glitch-harness": __version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state() -> dict[str, Any] | None:
    """Commit of the harness and whether its tree was changed; None outside a git checkout."""
    if not (PROJECT / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(PROJECT), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
