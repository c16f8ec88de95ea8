"""The store keeps what it is given up to its limit, and never gives back anything else."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.errors import Rejected
from harness.models.activations.store import ActivationStore
from harness.models.loaded import ModelStructure

TOKENS = torch.tensor([[1, 2, 3]])
VALUES = torch.arange(6.0).reshape(1, 3, 2)
STRUCTURE = ModelStructure(("a", "b"), n_layers=1, n_heads=2, d_model=8, d_vocab=64, n_ctx=None)


@pytest.fixture
def store(tmp_path: Path) -> ActivationStore:
    return ActivationStore(tmp_path / "store", max_gb=1.0)


def files(store: ActivationStore) -> list[Path]:
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


def test_kept_for_exactly_this_model_tokens_and_hook(store: ActivationStore) -> None:
    store.save("model", TOKENS, "hook", VALUES)
    for fingerprint, tokens, name in [
        ("other", TOKENS, "hook"),
        ("model", TOKENS + 1, "hook"),
        ("model", TOKENS.T, "hook"),
        ("model", TOKENS[:, :2], "hook"),
        ("model", TOKENS, "hook2"),
    ]:
        assert not store.has(fingerprint, tokens, name)
        assert store.load(fingerprint, tokens, name) is None
    again = ActivationStore(store.folder, max_gb=1.0)
    found = again.load("model", TOKENS.to(torch.int32), "hook")
    assert found is not None
    assert torch.equal(found, VALUES)
    assert (again.hits, store.misses) == (1, 5)


def test_size_is_that_of_the_files_and_is_shown(store: ActivationStore) -> None:
    store.save("model", TOKENS, "a", VALUES)
    store.save("model", TOKENS, "b", torch.zeros(1000))
    store.save("model", TOKENS, "a", VALUES)
    total = sum(path.stat().st_size for path in files(store))
    again = ActivationStore(store.folder, max_gb=1.0)
    assert store.size_bytes == again.size_bytes == total
    assert store.n_entries == again.n_entries == 2
    assert store.summary() == f"2 activations, 0.00 of 1 GB in {store.folder}"


def test_beyond_the_limit_it_stops_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = ActivationStore(tmp_path, max_gb=5e-6)  # 5,000 bytes
    store.save("model", TOKENS, "a", torch.zeros(1000))
    with caplog.at_level(logging.WARNING):
        store.save("model", TOKENS, "b", torch.zeros(1000))
        store.save("model", TOKENS, "c", torch.zeros(1000))
    assert len(caplog.records) == 1
    assert "cache.max_gb" in caplog.text
    assert store.is_full
    assert "nothing more is stored" in store.summary()
    assert len(files(store)) == 1
    assert store.size_bytes <= 5000
    # What was stored before is still served.
    assert store.load("model", TOKENS, "a") is not None


def test_a_new_process_counts_what_is_there(tmp_path: Path) -> None:
    ActivationStore(tmp_path, max_gb=5e-6).save("model", TOKENS, "a", torch.zeros(1000))
    second = ActivationStore(tmp_path, max_gb=5e-6)
    second.save("model", TOKENS, "b", torch.zeros(1000))
    assert not second.has("model", TOKENS, "b")


def test_a_damaged_entry_is_not_trusted_and_can_be_replaced(
    store: ActivationStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.save("model", TOKENS, "hook", VALUES)
    (path,) = files(store)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert store.load("model", TOKENS, "hook") is None
    assert "damaged" in caplog.text
    assert not store.has("model", TOKENS, "hook")
    store.save("model", TOKENS, "hook", VALUES)
    found = store.load("model", TOKENS, "hook")
    assert found is not None
    assert torch.equal(found, VALUES)
    assert store.size_bytes == path.stat().st_size


def test_files_of_others_are_left_alone(store: ActivationStore) -> None:
    other = store.folder / "ab"
    other.mkdir()
    (other / "mine.txt").write_text("precious")
    store.save("model", TOKENS, "hook", VALUES)
    assert (other / "mine.txt").read_text() == "precious"
    assert store.n_entries == 1


def test_a_full_disk_stops_it_without_failing_the_run(
    store: ActivationStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.files.os.replace", fail)
    store.save("model", TOKENS, "hook", VALUES)
    assert "cannot write (No space left on device)" in caplog.text
    assert store.is_full
    assert files(store) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Rejected, match=r"cache\.folder"):
        ActivationStore(tmp_path / "file" / "store", max_gb=1.0)


def test_structures_are_remembered(store: ActivationStore) -> None:
    assert store.structure("model") is None
    store.remember("model", STRUCTURE)
    assert ActivationStore(store.folder, max_gb=1.0).structure("model") == STRUCTURE
    assert store.structure("other") is None


def test_a_damaged_structure_is_read_again(store: ActivationStore) -> None:
    store.remember("model", STRUCTURE)
    (path,) = files(store)
    path.write_text(path.read_text().replace('"n_heads": 2', '"n_heads": 3'))
    assert store.structure("model") is None
    store.remember("model", replace(STRUCTURE, n_heads=4))
    found = store.structure("model")
    assert found is not None
    assert found.n_heads == 4


def test_a_disk_that_is_full_before_the_end_leaves_no_rest(
    store: ActivationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.remember("model", STRUCTURE)
    before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.files.os.fdopen", fail)
    store.remember("model", replace(STRUCTURE, n_heads=4))
    assert store.is_full
    assert {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()} == before
