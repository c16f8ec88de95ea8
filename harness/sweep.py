"""Sweeps: Hydra's launchers run the jobs, every job is checked before the first one starts."""

import hashlib
import itertools
import json
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from harness.errors import HarnessError
from harness.files import write_whole
from harness.pipeline import execute_prepared
from harness.reporting import console
from harness.runs.config import overrides as typed_overrides
from harness.runs.config.compose import (
    CONF,
    compose_hydra,
    compose_run,
    keep_texts,
    search_path_override,
    to_run_config,
)
from harness.runs.preparing import prepare

_SAY_WHICH_MODEL = frozenset({"model", "model.name"})
"""Either of them, typed, takes the place of a sweep file's models: a folder has no name to give to `model`."""


@dataclass(frozen=True)
class JobResult:
    """How one job of a sweep ended."""

    number: int
    overrides: str
    exit_code: int
    folder: str
    error: str


def run_sweep(overrides: Sequence[str]) -> int:
    """Run every combination; returns 0 when all jobs did, 1 when one failed, after the others were done."""
    normalised = typed_overrides.normalise(overrides)
    jobs = list(expand(normalised))
    for job in jobs:
        compose_run(job)  # refuses a mistake in any job before the first one computes
    results_dir = compose_run(jobs[0]).results_dir
    sweep_id = sweep_identity(jobs)
    folder = results_dir / "sweeps" / sweep_id
    for old in folder.glob("job-*.json"):
        old.unlink()
    console.show(f"sweep {sweep_id}: {len(jobs)} runs")
    # Hydra gets the file's parameters as if they were typed: it knows neither keys that only a dataclass states, nor
    # that a typed value replaces the file's.
    texts = [*spelled_out(normalised), "hydra.sweeper.params=null"]
    _launch([*texts, f"++sweep_id={_quoted(sweep_id)}", f"hydra.sweep.dir={_quoted(folder)}"])
    return _summary(folder, jobs)


def expand(overrides: Sequence[str]) -> Iterator[list[str]]:
    """Every job's overrides: the product of what was typed and of the sweep file's parameters."""
    for combination in itertools.product(*(_choices(text) for text in spelled_out(overrides))):
        yield list(combination)


def spelled_out(overrides: Sequence[str]) -> list[str]:
    """What was typed, and before it the sweep file's parameters as overrides; typed ones win.

    Values that are meant as text are quoted, so that `5e10` is not a number by the time that Hydra counts the jobs.
    """

    single = [text for text in overrides if not typed_overrides.is_sweep(text)]
    composed = compose_hydra(single, return_hydra_config=True)
    params = composed.hydra.sweeper.get("params") or {}
    typed_keys = {OverridesParser.create().parse_override(text).key_or_group for text in overrides}
    if typed_keys & _SAY_WHICH_MODEL:
        typed_keys |= _SAY_WHICH_MODEL
    from_file = [f"{key}={value}" for key, value in params.items() if key not in typed_keys]
    spelled = [*typed_overrides.normalise(from_file), *overrides]
    # The last value changes fastest: what is known of a model is kept from one job to the next, and no longer.
    spelled.sort(key=lambda text: OverridesParser.create().parse_override(text).key_or_group not in _SAY_WHICH_MODEL)
    return keep_texts(spelled)


def _choices(text: str) -> list[str]:

    override = OverridesParser.create().parse_override(text)
    if not override.is_sweep_override():
        return [text]
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def sweep_identity(jobs: Sequence[Sequence[str]]) -> str:
    """A name that the same sweep has again: where its results are looked for, and its group in the tracker."""
    spelling = json.dumps([sorted(job) for job in jobs])
    return hashlib.sha256(spelling.encode()).hexdigest()[:8]


def _quoted(value: object) -> str:
    """As a string for Hydra, whatever it looks like: `97692205` and `4e074085` would become numbers."""
    return "'" + str(value).replace("'", "\\'") + "'"


def _launch(overrides: Sequence[str]) -> None:

    argv = sys.argv
    sys.argv = ["harness", "--multirun", *search_path_override(), *overrides]
    try:
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(run_job)()
    finally:
        sys.argv = argv


def run_job(composed: DictConfig) -> None:
    """One job, in this process or a launcher's; how it ended is a file, since a launcher may be another machine."""

    console.configure_logging()
    hydra_config = HydraConfig.get()
    number, typed = int(hydra_config.job.num), ", ".join(hydra_config.overrides.task)
    folder, code, problem = "", 0, ""
    try:
        prepared = prepare(to_run_config(composed))
        folder = str(prepared.folder)
        code = int(execute_prepared(prepared).manifest.get("exit_code", 0))
    except HarnessError as error:
        code, problem = error.exit_code, str(error)
        console.fail(f"job {number} ({_short(typed)}): {problem}")
    _write_result(Path(hydra_config.sweep.dir), JobResult(number, typed, code, folder, problem))


def _write_result(folder: Path, result: JobResult) -> None:
    write_whole(folder / f"job-{result.number}.json", json.dumps(asdict(result), indent=2).encode())


def _short(typed: str, leave_out: Collection[str] = ()) -> str:
    kept = [
        part for part in typed.split(", ") if not part.startswith(("++sweep_id", "hydra")) and part not in leave_out
    ]
    return " ".join(part.lstrip("+").replace("\\:", ":") for part in kept)


def _summary(folder: Path, jobs: Sequence[Sequence[str]]) -> int:
    results = [JobResult(**json.loads(path.read_text())) for path in folder.glob("job-*.json")]
    found = {result.number: result for result in results}
    # What all jobs share stands in the command itself; a row shows what tells its job from the others.
    shared = set.intersection(*(set(result.overrides.split(", ")) for result in results)) if len(results) > 1 else set()
    results_dir = folder.parent.parent
    rows = []
    failed = 0
    for number in range(len(jobs)):
        result = found.get(number)
        if result is None:
            failed += 1
            rows.append([str(number), "", "no answer: its process ended early"])
        else:
            # A gate that was exceeded (exit code 3) is an answer, not a failure of the job.
            failed += result.exit_code in (1, 2)
            place = str(Path(result.folder).relative_to(results_dir)) if result.folder else ""
            rows.append([str(number), _short(result.overrides, shared), result.error or place])
    console.table(["job", "overrides", "results"], rows)
    console.show(f"{len(jobs) - failed} of {len(jobs)} runs are complete")
    console.show(f"results: {results_dir}")
    console.show(f"draw them: python -m harness.figures {results_dir}")
    return 1 if failed else 0
