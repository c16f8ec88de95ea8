"""Fixtures of models read from GGUF files."""

from pathlib import Path

import pytest

from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity, resolve_identity
from tests.helpers.tiny_gguf import TinyGguf


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gguf"


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> ModelIdentity:
    """The tiny file, converted once for all tests that only look at it."""
    folder = tmp_path_factory.mktemp("gguf")
    path = TinyGguf(n_filled_in=5).write(folder / "Tiny llama.Q4_1.gguf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        return resolve_identity(ModelConfig(name=str(path)))
