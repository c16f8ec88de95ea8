"""`resolve_identity` pins a model down to its bytes, and says which of the ways to fail this is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save_file

from harness.errors import Rejected
from harness.models import _hub as hub
from harness.models._hub import repository_files
from harness.models.config import ModelConfig
from harness.models.identity import ModelSource, resolve_identity, safe_label

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "My model (v2)"
    made.mkdir()
    (made / "config.json").write_text('{"model_type": "gpt2"}')
    save_file({"a": np.zeros(2, np.float32)}, made / "model.safetensors")
    return made


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache that holds config.json of `someone/tiny` at COMMIT, as branch main."""
    from huggingface_hub import constants

    repository = tmp_path / "hub" / "models--someone--tiny"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"model_type": "gpt2"}')
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_folder_is_local_and_hashed(folder: Path) -> None:
    identity = resolve_identity(ModelConfig(name=str(folder)))
    assert identity.source is ModelSource.LOCAL
    assert identity.path == folder
    assert identity.revision is None
    assert identity.label == "My-model-v2"
    assert identity.weights_sha256 is not None
    assert len(identity.weights_sha256) == 64
    assert identity.fingerprint == identity.weights_sha256


def test_the_same_weights_elsewhere_have_the_same_fingerprint(folder: Path) -> None:
    first = resolve_identity(ModelConfig(name=str(folder)))
    moved = folder.rename(folder.with_name("other"))
    second = resolve_identity(ModelConfig(name=str(moved)))
    assert first.fingerprint == second.fingerprint
    assert (first.label, second.label) == ("My-model-v2", "other")


def test_relative_and_home_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for name in (f"./{folder.name}", folder.name, f"~/{folder.name}", f"../{folder.parent.name}/{folder.name}/"):
        assert resolve_identity(ModelConfig(name=name)).path == folder


def test_a_path_that_is_missing_never_asks_the_hub(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no such folder"):
        resolve_identity(ModelConfig(name=str(tmp_path / "nowhere")))


def test_a_revision_contradicts_a_folder(folder: Path) -> None:
    with pytest.raises(Rejected, match=r"model\.revision: got 'main'"):
        resolve_identity(ModelConfig(name=str(folder), revision="main"))


@pytest.mark.parametrize(
    ("text", "label"), [("pythia-70m", "pythia-70m"), ("a/b c", "a-b-c"), ("...", "model"), ("x" * 90, "x" * 48)]
)
def test_labels_are_safe_in_file_names(text: str, label: str) -> None:
    assert safe_label(text) == label


def test_offline_hub_name_comes_from_the_cache(hub_cache: Path) -> None:
    identity = resolve_identity(ModelConfig(name="someone/tiny"))
    assert identity.source is ModelSource.HUB
    assert (identity.revision, identity.label, identity.path) == (COMMIT, "someone--tiny", None)
    assert identity.fingerprint == f"someone/tiny@{COMMIT}"


def test_offline_hub_name_that_is_not_cached(hub_cache: Path) -> None:
    for config in (ModelConfig(name="someone/else"), ModelConfig(name="someone/tiny", revision="step3")):
        with pytest.raises(Rejected, match=r"HF_HUB_OFFLINE.*local cache does not have it.*model\.name=<folder>"):
            resolve_identity(config)


@pytest.mark.parametrize("name", ["no/such/thing", "two words", "-dash"])
def test_what_can_be_no_hub_name(name: str) -> None:
    with pytest.raises(Rejected, match=r"model\.name: got .* allowed: a hub name"):
        resolve_identity(ModelConfig(name=name))


class TestHubAnswers:
    """What the hub raises, and the line it becomes."""

    @pytest.fixture
    def hub(self, hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
        import huggingface_hub
        from huggingface_hub import constants

        def raising(error: Exception) -> None:
            def fail(*args: object, **kwargs: object) -> None:
                raise error

            monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
            monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)

        return raising

    @staticmethod
    def answered(kind: str) -> Exception:
        from huggingface_hub import errors

        response = SimpleNamespace(headers={}, request=None, status_code=403, text="")
        return getattr(errors, kind)("the hub said no", response=response)

    @pytest.mark.parametrize(
        ("kind", "line"),
        [
            ("GatedRepoError", r"model\.name: got 'a/b': the model is gated: .*hf auth login.*model\.name=<folder>"),
            ("RepositoryNotFoundError", r"no such model.*model\.name=<folder>"),
            ("HfHubHTTPError", r"answered with an error.*model\.name=<folder>"),
        ],
    )
    def test_refusals(self, hub: Callable[[Exception], None], kind: str, line: str) -> None:
        hub(self.answered(kind))
        with pytest.raises(Rejected, match=line):
            resolve_identity(ModelConfig(name="a/b"))

    def test_unknown_revision(self, hub: Callable[[Exception], None]) -> None:
        hub(self.answered("RevisionNotFoundError"))
        with pytest.raises(Rejected, match=r"model\.revision: got 'nope', allowed: a branch, tag or commit of a/b"):
            resolve_identity(ModelConfig(name="a/b", revision="nope"))

    def test_unreachable_without_a_cached_copy(self, hub: Callable[[Exception], None]) -> None:
        hub(ConnectionError("no route to host"))
        with pytest.raises(Rejected, match=r"cannot be reached \(ConnectionError: no route.*model\.name=<folder>"):
            resolve_identity(ModelConfig(name="a/b"))

    def test_unreachable_with_a_cached_copy(
        self, hub: Callable[[Exception], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        hub(TimeoutError())
        assert resolve_identity(ModelConfig(name="someone/tiny")).revision == COMMIT
        assert "using the cached someone/tiny" in caplog.text

    def test_a_mistake_of_ours_is_not_blamed_on_the_hub(self, hub: Callable[[Exception], None]) -> None:
        hub(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            resolve_identity(ModelConfig(name="a/b"))


def test_the_hub_is_asked_once_for_the_same_name_and_revision(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def describe(_: object, name: str, revision: str | None = None, **kwargs: object) -> SimpleNamespace:
        asked.append((name, revision))
        return SimpleNamespace(sha=COMMIT)

    def listed(_: object, name: str, revision: str | None = None) -> list[str]:
        asked.append((f"files of {name}", revision))
        return ["config.json"]

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub.HfApi, "model_info", describe)
    monkeypatch.setattr(hub.HfApi, "list_repo_files", listed)
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: "config.json")
    for revision in (None, "step3", None):
        assert resolve_identity(ModelConfig(name="someone/once", revision=revision)).revision == COMMIT
        assert repository_files("someone/once", COMMIT) == {"config.json"}
    assert asked == [("someone/once", None), ("files of someone/once", COMMIT), ("someone/once", "step3")]


def test_gated_files_of_an_open_card(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    def fail(*args: object, **kwargs: object) -> None:
        raise TestHubAnswers.answered("GatedRepoError")

    def describe(*args: object, **kwargs: object) -> SimpleNamespace:
        return SimpleNamespace(sha=COMMIT)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", describe)
    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(Rejected, match="gated"):
        resolve_identity(ModelConfig(name="a/b"))


def test_naming_a_model_imports_no_heavy_library() -> None:
    modules = "identity, _weights, vocab_facts, tokenizers, tokenizer_files, _hub"
    code = f"import json, sys; from harness.models import {modules}; print(json.dumps(sorted(sys.modules)))"
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "transformer_lens", "pandas"}
    assert not heavy & set(json.loads(done.stdout))
