"""From a config to a tokenizer."""

from pathlib import Path

from transformers import AutoTokenizer

from harness.errors import Rejected
from harness.models._hub import repository_files
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.identity import ModelIdentity
from harness.models.tokenizer_files import READABLE_FILES, has_tokenizer_files, tokenizer_folder
from harness.models.tokenizers import Tokenizer


def load_tokenizer(
    identity: ModelIdentity | None, config: ModelConfig, tokenizer_config: TokenizerConfig | None = None
) -> Tokenizer | None:
    """The tokenizer named in `tokenizer.name`, else the model's own; None where the model comes without one, or where
    neither is given.

    Raises `Rejected` where a tokenizer was named and is not there, or where its files cannot be read.
    """
    name = tokenizer_config.name if tokenizer_config is not None else None
    if name is not None:
        folder = tokenizer_folder(name)
        if folder.is_dir() and not has_tokenizer_files(folder):
            raise Rejected.key("tokenizer.name", name, f"a folder with one of {', '.join(READABLE_FILES)}")
        return _load("tokenizer.name", str(folder) if folder.is_dir() else name, None, config)
    if identity is None or not _has_own_tokenizer(identity):
        return None
    return _load("model.name", identity.location, identity.revision, config)


def _has_own_tokenizer(identity: ModelIdentity) -> bool:
    if identity.path is not None:
        return has_tokenizer_files(identity.path)

    return bool(repository_files(identity.name, identity.revision) & set(READABLE_FILES))


def _load(key: str, location: str, revision: str | None, config: ModelConfig) -> Tokenizer:

    is_folder = Path(location).is_dir()
    try:
        backend = AutoTokenizer.from_pretrained(
            location, revision=revision, trust_remote_code=config.trust_remote_code, local_files_only=is_folder
        )
    except Exception as error:  # tokenizers raise bare Exception for a corrupt tokenizer.json
        reason = " ".join(str(error).split())[:200]
        problem = f"its tokenizer cannot be read ({reason})"
        raise Rejected(f"{key}: got {location!r}: {problem}; allowed: a readable tokenizer") from error
    return Tokenizer(backend, location)
