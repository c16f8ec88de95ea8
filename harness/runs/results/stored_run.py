"""A run read back from its folder, with no model loaded."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import OmegaConf
from safetensors.numpy import load_file

from harness.errors import HarnessError
from harness.runs.results.answer import Answer
from harness.runs.results.headline import HeadlineRow, from_plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FigureFile:
    """A stored picture; shows itself in a notebook."""

    name: str
    png: Path
    pdf: Path

    def _repr_png_(self) -> bytes:
        return self.png.read_bytes()


class StoredRun:
    """What one run left on disk."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any] | None = None) -> None:
        """The run in `folder`; `manifest` stands in for the one on disk, for a run that is about to be complete."""
        self.folder = Path(folder)
        self._manifest = manifest
        if not (self.folder / "manifest.json").is_file():
            raise HarnessError(f"{self.folder} is no run folder: it has no manifest.json")

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.is_file():
            return {}
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise HarnessError(f"{path} is not readable JSON: {error}") from error
        return dict(value)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """manifest.json: status, versions, model, seed, notes."""
        return self._json("manifest.json") if self._manifest is None else dict(self._manifest)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """metrics.json, flat."""
        return self._json("metrics.json")

    @cached_property
    def details(self) -> dict[str, Any]:
        """details.json: token strings, pool ids, labels."""
        return self._json("details.json")

    @cached_property
    def timings(self) -> dict[str, Any]:
        """timings.json: where the time went, in seconds."""
        return self._json("timings.json")

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain values."""

        path = self.folder / "config.yaml"
        if not path.is_file():
            return {}
        loaded = OmegaConf.to_container(OmegaConf.load(path))
        return {str(key): value for key, value in loaded.items()} if isinstance(loaded, dict) else {}

    @cached_property
    def records(self) -> "pd.DataFrame":
        """records.jsonl as a data frame, one row per item measured; half characters (lone surrogates) as escapes."""
        # Only here: a found run is shown without pandas, which takes half a second to import.
        import pandas as pd

        return pd.DataFrame([{key: _whole(value) for key, value in row.items()} for row in self.record_rows()])

    def record_rows(self) -> list[dict[str, Any]]:
        """records.jsonl as it stands, one mapping per item measured."""
        path = self.folder / "records.jsonl"
        if not path.is_file():
            return []
        rows = []
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
            try:
                rows.append(json.loads(line))
            except ValueError:
                break  # the torn last line of a run that is still going or was killed
        return rows

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """arrays.safetensors."""

        path = self.folder / "arrays.safetensors"
        return load_file(path) if path.is_file() else {}

    @property
    def figures(self) -> dict[str, FigureFile]:
        """The stored pictures by name."""
        found = sorted((self.folder / "figures").glob("*.png"))
        return {path.stem: FigureFile(path.stem, path, path.with_suffix(".pdf")) for path in found}

    @cached_property
    def answer(self) -> Answer | None:
        """The sentence it answers its question with; None for a run without one, or stored before there were any."""
        stored = self._json("answer.json")
        return Answer.from_plain(stored) if stored else None

    @cached_property
    def headline(self) -> Sequence[HeadlineRow] | None:
        """The small table the run ended with; None for a run stored before such tables were."""
        path = self.folder / "headline.json"
        return from_plain(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def interval(self, key: str) -> tuple[Any, Any, Any]:
        """A metric with the ends of its 95 % interval: (mean, low, high), each None where it was not measured."""
        return self.metrics.get(key), self.metrics.get(f"{key}/ci_low"), self.metrics.get(f"{key}/ci_high")

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return str(self.manifest.get("experiment", self.folder.parent.name))

    @property
    def run_id(self) -> str:
        """Model and hash of everything that changes the answer."""
        return str(self.manifest.get("run_id", self.folder.name))

    @property
    def status(self) -> str:
        """`running`, `complete` or `failed`."""
        return str(self.manifest.get("status", "unknown"))

    @property
    def model(self) -> str:
        """Short name of the model; empty where the experiment has none."""
        return str((self.manifest.get("model") or {}).get("label", ""))

    @property
    def schema_version(self) -> int:
        """Version of the run folder's layout; runs of different ones are not mixed."""
        return int(self.manifest.get("schema_version", 0))

    @property
    def notes(self) -> list[str]:
        """Plain sentences a reader must know."""
        return [str(note) for note in self.manifest.get("notes", [])]

    @property
    def warnings(self) -> list[str]:
        """The notes that say that something is wrong; none for a run stored before they were told apart."""
        return [str(note) for note in self.manifest.get("warnings", [])]

    def __repr__(self) -> str:
        return f"StoredRun({self.experiment}/{self.run_id}, {self.status}, {len(self.metrics)} metrics)"


def load_run(folder: Path | str) -> StoredRun:
    """The run stored in `folder`. Raises `HarnessError` where there is none."""
    return StoredRun(Path(folder))


def find_runs(results_dir: Path | str, experiment: str | None = None, status: str | None = None) -> Iterator[StoredRun]:
    """Runs below `results_dir` in a stable order, of one experiment and status where given."""
    pattern = f"{experiment or '*'}/*/manifest.json"
    for path in sorted(Path(results_dir).glob(pattern)):
        run = StoredRun(path.parent)
        if status is None or run.status == status:
            yield run


def _whole(value: Any) -> Any:
    """A text without half characters, which a data frame's strings cannot hold; broken vocabularies have some."""
    return value.encode("utf-8", errors="backslashreplace").decode() if isinstance(value, str) else value
