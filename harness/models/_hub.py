"""What the Hugging Face hub says of a model name: its commit, or which of the ways to fail this is."""

import logging
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, errors, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import HFValidationError, validate_repo_id

from harness.errors import Rejected
from harness.models._weights import CONFIG_FILE
from harness.models.config import ModelConfig

logger = logging.getLogger(__name__)

_USE_A_FOLDER = "to use weights on this machine give their folder: model.name=<folder>"
_TIMEOUT_SECONDS = 15.0


def resolve_commit(config: ModelConfig) -> str:
    """The commit that `model.name` at `model.revision` (default: main) stands for.

    Raises `Rejected` naming which it is: not found, gated, no such revision, unreachable, or not in the local cache.
    """

    try:
        validate_repo_id(config.name)
    except HFValidationError as error:
        raise Rejected.key(
            "model.name", config.name, "a hub name ('gpt2', 'owner/name'), an existing folder, or 'pocket'"
        ) from error
    if constants.HF_HUB_OFFLINE:
        cached = _cached_commit(config)
        if cached is None:
            raise _rejected(config, "the hub is switched off (HF_HUB_OFFLINE) and the local cache does not have it")
        return cached
    return _ask_hub(config.name, config.revision)


def config_json_path(name: str, revision: str | None) -> Path:
    """A hub model's config.json on this machine, downloaded if need be. Raises `Rejected` like `resolve_commit`."""
    return Path(_download_config(ModelConfig(name=name, revision=revision)))


def repository_files(name: str, revision: str | None) -> frozenset[str]:
    """Paths of a hub model's files; of those in the local cache where the hub is off or cannot be reached."""

    if not constants.HF_HUB_OFFLINE:
        try:
            return _list_files(name, revision)
        except Exception as error:
            if not _is_unreachable(error):
                raise _explained(ModelConfig(name=name, revision=revision), error) from error
    snapshot = config_json_path(name, revision).parent
    return frozenset(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*"))


@cache
def _list_files(name: str, revision: str | None) -> frozenset[str]:
    """What the hub answers, queried once per process; an error is not kept."""
    return frozenset(HfApi().list_repo_files(name, revision=revision))


@cache
def _ask_hub(name: str, revision: str | None) -> str:
    """The commit, looked up once per process: all runs of a sweep get the same one. An error is not kept."""
    config = ModelConfig(name=name, revision=revision)
    try:
        commit = HfApi().model_info(config.name, revision=config.revision, timeout=_TIMEOUT_SECONDS).sha
    except Exception as error:
        if not _is_unreachable(error):
            raise _explained(config, error) from error
        cached = _cached_commit(config)
        if cached is None:
            raise _rejected(config, f"the hub cannot be reached ({_brief(error)})") from error
        logger.warning("the hub cannot be reached (%s): using the cached %s@%s", _brief(error), config.name, cached)
        return cached
    if commit is None:
        raise _rejected(config, "the hub names no commit for it")
    # For a gated model the hub gives the commit and refuses only files: downloading one shows whether it may be used.
    _download_config(ModelConfig(name=config.name, revision=commit))
    return commit


def _download_config(config: ModelConfig) -> str:

    try:
        return hf_hub_download(config.name, CONFIG_FILE, revision=config.revision, etag_timeout=_TIMEOUT_SECONDS)
    except Exception as error:
        raise _explained(config, error) from error


def _explained(config: ModelConfig, error: Exception) -> Exception:
    """The `Rejected` that says what the hub's error means; an error that is not the hub's comes back as it is."""

    if isinstance(error, LocalEntryNotFoundError) or _is_unreachable(error):
        return _rejected(config, f"the hub cannot be reached, nor is its config.json in the cache ({_brief(error)})")
    if isinstance(error, GatedRepoError):  # before RepositoryNotFoundError, its parent
        return _rejected(
            config, "the model is gated: accept its terms on its hub page and log in (`hf auth login` or HF_TOKEN)"
        )
    if isinstance(error, RevisionNotFoundError):
        return Rejected.key("model.revision", config.revision, f"a branch, tag or commit of {config.name}")
    if isinstance(error, RepositoryNotFoundError):
        return _rejected(config, "the hub has no such model (or it is private and you are not logged in)")
    if isinstance(error, EntryNotFoundError):
        return _rejected(
            config,
            "the hub repository has no config.json, so it is no transformers model (of one with GGUF files download a "
            "file and give that: model.name=<file.gguf>)",
        )
    if isinstance(error, HfHubHTTPError):
        return _rejected(config, f"the hub answered with an error ({_brief(error)})")
    return error


def _cached_commit(config: ModelConfig) -> str | None:

    found: Any = try_to_load_from_cache(config.name, CONFIG_FILE, revision=config.revision)
    # The cache lays files out as snapshots/<commit>/<file>.
    return Path(found).parent.name if isinstance(found, str) else None


def _is_unreachable(error: Exception) -> bool:

    # The hub's own client decides which HTTP library it uses; its errors module holds that library's base class.
    transport: type[Exception] = vars(errors)["HTTPError"]
    answered = isinstance(error, errors.HfHubHTTPError)
    return not answered and isinstance(error, (transport, ConnectionError, TimeoutError))


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]}" if text else type(error).__name__


def _rejected(config: ModelConfig, problem: str) -> Rejected:
    return Rejected(f"model.name: got {config.name!r}: {problem}; {_USE_A_FOLDER}")
