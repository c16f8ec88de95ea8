"""Activations on disk, so that the same tokens need not go through the same model twice."""

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from harness.errors import Rejected
from harness.files import open_whole
from harness.models.activations._tensor_file import DamagedFile, read_tensor, write_tensor
from harness.models.loaded import ModelStructure

logger = logging.getLogger(__name__)

LOGITS = "logits"
"""The name under which a model's output is kept; no hook is called so."""
_VERSION = "1"
_GIGABYTE = 1_000_000_000


class ActivationStore:
    """Raw activations in a folder, one file per model, token batch and hook name; grows up to a size, never shrinks.

    A file that is not bit for bit what was written counts as absent. Files of other programs are left alone.
    """

    def __init__(self, folder: Path, max_gb: float) -> None:
        self.folder = folder
        self._limit = int(max_gb * _GIGABYTE)
        self._stopped = False
        self._damaged: set[Path] = set()
        self.hits = 0
        self.misses = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            allowed = f"a folder that can be written ({error.strerror})"
            raise Rejected.key("cache.folder", str(folder), allowed) from error
        self.n_entries, self.size_bytes = _measured(folder)

    @property
    def is_full(self) -> bool:
        """Whether something was left out for lack of room."""
        return self._stopped

    def summary(self) -> str:
        """One line for a person: entries, size, limit, and whether the limit was met."""
        full = ", full: nothing more is stored" if self._stopped else ""
        return (
            f"{self.n_entries} activations, {self.size_bytes / _GIGABYTE:.2f} of {self._limit / _GIGABYTE:g} GB"
            f" in {self.folder}{full}"
        )

    def load(self, fingerprint: str, tokens: Int[Tensor, "batch pos"], name: str) -> Tensor | None:
        """The activation of these tokens at hook `name`, on the CPU; None where it is absent or damaged."""
        path, about = self._entry(fingerprint, tokens, name)
        try:
            tensor = read_tensor(path, about)
        except FileNotFoundError:
            self.misses += 1
            return None
        except (DamagedFile, OSError) as error:
            logger.warning("a stored activation is damaged and will be computed again: %s", error)
            self._damaged.add(path)
            self.misses += 1
            return None
        self.hits += 1
        return tensor

    def has(self, fingerprint: str, tokens: Int[Tensor, "batch pos"], name: str) -> bool:
        """Whether there is a file for it that was not found damaged; whether it is sound only `load` can tell."""
        path, _ = self._entry(fingerprint, tokens, name)
        return path not in self._damaged and path.is_file()

    def save(self, fingerprint: str, tokens: Int[Tensor, "batch pos"], name: str, activation: Tensor) -> None:
        """Keep an activation, unless that would exceed the limit; says so the first time it does not."""
        if self._stopped:
            return
        path, about = self._entry(fingerprint, tokens, name)
        replaced = path.stat().st_size if path.is_file() else 0
        size = activation.numel() * activation.element_size()
        if self.size_bytes - replaced + size > self._limit:
            self._stop(f"the activation store has reached cache.max_gb={self._limit / _GIGABYTE:g}")
            return
        try:
            written = write_tensor(path, activation, about)
        except OSError as error:
            self._stop(f"the activation store cannot write ({error.strerror or error})")
            return
        self._damaged.discard(path)
        self.size_bytes += written - replaced
        self.n_entries += 0 if replaced else 1

    def structure(self, fingerprint: str) -> ModelStructure | None:
        """The structure of a model that filled this store; None when it is not known."""
        path = self._structure_path(fingerprint)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            fields = content["structure"]
            if content["sha256"] != _text_digest(fields):
                raise ValueError("its checksum does not match")
            return ModelStructure(**{**fields, "hook_names": tuple(fields["hook_names"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("a stored model structure is damaged and will be read from the model again: %s", error)
            return None

    def remember(self, fingerprint: str, structure: ModelStructure) -> None:
        """Keep a model's structure, so that a later process can do without the model."""
        fields = asdict(structure)
        path = self._structure_path(fingerprint)
        try:
            with open_whole(path, durable=False) as file:
                file.write(json.dumps({"structure": fields, "sha256": _text_digest(fields)}).encode())
        except OSError as error:
            self._stop(f"the activation store cannot write ({error.strerror or error})")

    def _stop(self, reason: str) -> None:
        if not self._stopped:
            logger.warning("%s: nothing more is stored", reason)
        self._stopped = True

    def _entry(self, fingerprint: str, tokens: Int[Tensor, "batch pos"], name: str) -> tuple[Path, dict[str, str]]:
        ids = tokens.detach().to("cpu", torch.int64).contiguous()
        tokens_digest = hashlib.sha256(json.dumps(list(ids.shape)).encode() + ids.numpy().tobytes()).hexdigest()
        about = {"version": _VERSION, "model": fingerprint, "tokens": tokens_digest, "hook": name}
        key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.safetensors", about

    def _structure_path(self, fingerprint: str) -> Path:
        key = hashlib.sha256(f"structure {_VERSION} {fingerprint}".encode()).hexdigest()
        return self.folder / "structures" / f"{key}.json"


def _measured(folder: Path) -> tuple[int, int]:
    """Number and bytes of the entries in a store's folder."""
    sizes: list[int] = []
    for path in folder.glob("??/*.safetensors"):
        try:
            sizes.append(path.stat().st_size)
        except OSError:  # another process replaced it meanwhile
            continue
    return len(sizes), sum(sizes)


def _text_digest(fields: object) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
