"""What an experiment is given and what it gives back."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic

import numpy as np

from harness.models.activations.store import ActivationStore
from harness.models.answers.causal_model import CausalModel
from harness.models.lazy import lazy_model
from harness.models.loaded import LoadedModel
from harness.organism.organism import Organism, load_organism
from harness.runs._subject import Subject
from harness.runs.config.schema import ExpConfig, RunConfig
from harness.runs.folder import RecordLog, RunFolder, ShardStore
from harness.runs.progress import progress_bar

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The answer of an experiment."""

    metrics: Mapping[str, float | int | str | None]
    """Flat, `<pool>/<name>`; becomes metrics.json."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Becomes arrays.safetensors."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Everything else a figure or a reader needs, as JSON: token strings, pool ids, labels."""
    exit_code: int = 0
    """Not 0 where the answer itself is a refusal (a gate that was exceeded)."""


class Run(Subject, Generic[ExpConfig]):
    """One run in progress: its config, its instruments, and where its work is kept."""

    def __init__(self, config: RunConfig[ExpConfig], folder: RunFolder, subject: Subject) -> None:
        super().__init__(subject._identity, subject._facts, subject._pools, subject._tokenizer, subject._evidence)
        self.config = config
        self.records = RecordLog(folder.path / "records.jsonl")
        self.shards = ShardStore(folder)
        self.timings: dict[str, float] = {}
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._folder = folder
        self._model: LoadedModel | None = None

    @property
    def exp(self) -> ExpConfig:
        """The experiment's own parameters."""
        return self.config.exp

    @property
    def seed(self) -> int:
        """What the draw of tokens and every resampling start from."""
        return self.config.seed

    @property
    def model(self) -> LoadedModel:
        """The model; its weights are loaded when it first runs, and never where the store answers everything."""
        if self._model is None:
            self._model = lazy_model(self.identity, self.config.model, self.store)
        return self._model

    @contextmanager
    def answering(self) -> Iterator[CausalModel]:
        """The model without hooks, whose answers are what counts; its weights go when the block ends."""
        with self.timer("load"):
            model = CausalModel.load(self.identity, self.config.model)
        try:
            yield model
        finally:
            model.close()

    @cached_property
    def organism(self) -> Organism | None:
        """Training counts and planted tokens, where the model's own folder ships them."""

        path = self.identity.path if self.has_model else None
        return load_organism(path) if path else None

    @cached_property
    def store(self) -> ActivationStore | None:
        """The activation store, where `cache.store=true`."""

        cache = self.config.cache
        if not cache.store:
            return None
        return ActivationStore(cache.folder or self.config.results_dir / "activations", cache.max_gb)

    @property
    def work_folder(self) -> Path:
        """A folder for files that only resuming needs (training checkpoints); removed when the run is complete."""
        path = self._folder.path / "work"
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def artifact_folder(self) -> Path:
        """A folder for whole directories an experiment produces (a trained model), kept with the run."""
        path = self._folder.path / "artifacts"
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def progress(self, total: int, label: str) -> Iterator[Callable[[int], None]]:
        """A progress bar with an estimate of what is left; yields the function that moves it."""

        with progress_bar(total, label) as advance:
            yield advance

    @contextmanager
    def timer(self, label: str) -> Iterator[None]:
        """Add the seconds inside to timings.json under `label`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings[label] = self.timings.get(label, 0.0) + time.perf_counter() - started

    def note(self, text: str) -> None:
        """A plain sentence a reader of the result must know; shown at the end, in the report and in the manifest."""
        if text not in self.notes:
            self.notes.append(text)
            log.info(text)

    def warn(self, text: str) -> None:
        """A note that says that something is wrong with the result: it says nothing, or less than was asked for."""
        self.note(text)
        if text not in self.warnings:
            self.warnings.append(text)

    def close(self) -> None:
        """Let go of the model so that the next run in this process starts with the same memory."""
        model, self._model = self._model, None
        if model is not None:
            model.close()
