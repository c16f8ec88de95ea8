"""A plain table of all runs: one line a metric, in one file."""

import csv
import io
from pathlib import Path

from filelock import FileLock

from harness.files import write_whole
from harness.reporting.display import Display
from harness.runs.results.stored_run import StoredRun

FILE = "runs.csv"
COLUMNS = ("experiment", "run_id", "model", "seed", "started", "metric", "value", "ci_low", "ci_high")
_ENDS = ("/ci_low", "/ci_high")


class CsvTracker:
    """Keeps `<results_dir>/runs.csv`; a run that is done again takes the place of its lines."""

    def __init__(self, results_dir: Path) -> None:
        self._path = results_dir / FILE

    def log_run(self, run: StoredRun, display: Display) -> str:
        """Write the run's metrics; raises `RunFailed` where the disk refuses."""
        del display
        lines = [
            (run.experiment, run.run_id, run.model, run.config.get("seed"), run.manifest.get("started"), key, value,
             *(run.metrics.get(f"{key}{end}") for end in _ENDS))
            for key, value in run.metrics.items()
            if value is not None and not key.endswith(_ENDS)
        ]  # fmt: skip
        # Jobs of a sweep end at the same time.
        with FileLock(self._path.with_suffix(".lock")):
            kept = [row for row in self._read() if (row["experiment"], row["run_id"]) != (run.experiment, run.run_id)]
            stream = io.StringIO()
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([row[name] for name in COLUMNS] for row in kept)
            writer.writerows(["" if value is None else value for value in line] for line in lines)
            write_whole(self._path, stream.getvalue().encode())
        return f"logged to {self._path.resolve()}"

    def group_found(self, run: StoredRun) -> None:
        """Do nothing: the file knows no sweeps."""

    def _read(self) -> list[dict[str, str]]:
        if not self._path.is_file():
            return []
        with self._path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
