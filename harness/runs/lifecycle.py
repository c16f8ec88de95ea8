"""One run from prepared to computed: lock, vocabulary, folder, measurement, and how it ended."""

import gc
import shutil
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.errors import HarnessError, Rejected, RunFailed
from harness.models.facts import load_facts
from harness.models.tokenizer_loading import load_tokenizer
from harness.runs import registry
from harness.runs._evidence import token_evidence
from harness.runs._manifest import Manifest, Status, first_manifest, tokenizer_facts, write_manifest
from harness.runs._seeding import seed_everything
from harness.runs._subject import Subject
from harness.runs.arrays import check_arrays
from harness.runs.config.rendered import config_yaml
from harness.runs.context import Outcome, Run, log
from harness.runs.experiment import CheckContext, Needs
from harness.runs.folder import RunFolder
from harness.runs.identity import plain
from harness.runs.preparing import Prepared
from harness.runs.results.stored_run import StoredRun
from harness.tokens.pools import Pools


@contextmanager
def locked(prepared: Prepared) -> Iterator[None]:
    """Only one process computes a run; another that wants it waits and then finds it complete."""
    path = prepared.config.results_dir / prepared.experiment.name / ".locks" / f"{prepared.run_id}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.warning("another process is computing %s; waiting for it to end", prepared.run_id)
            lock.acquire()
    except OSError as error:
        raise Rejected(f"results_dir: cannot write below {path.parent}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def find_subject(prepared: Prepared) -> Subject:
    """Vocabulary, tokenizer and pools: what a request can be refused on without loading weights."""
    config, identity, needs = prepared.config, prepared.identity, prepared.experiment.needs
    tokenizer = facts = None
    if identity is not None or prepared.tokenizer is not None:
        tokenizer = load_tokenizer(identity, config.model, config.tokenizer)
    if Needs.TOKENIZER in needs and tokenizer is None:
        raise Rejected(
            f"model.name: got {config.model.name!r}: it comes without a tokenizer, which {prepared.experiment.name} "
            "needs; allowed: a model with one, or tokenizer.name=<folder or hub name> beside it"
        )
    if identity is not None:
        facts = load_facts(identity, config.model, config.tokenizer, tokenizer)
    if identity is None or facts is None:
        return Subject(identity, facts, None, tokenizer)
    evidence = token_evidence(identity, config, facts, tokenizer)
    pools = None
    if Needs.POOLS in needs:
        pools = Pools(config.pools, evidence, config.seed, prepared.pool_bytes)
        pools.require(prepared.experiment.pools(config))
    return Subject(identity, facts, pools, tokenizer, evidence)


class OpenRun:
    """A run whose folder is open: it is computed, drawn by whoever opened it, and completed."""

    def __init__(self, prepared: Prepared, folder: RunFolder, manifest: Manifest, run: Run[Any]) -> None:
        self.folder = folder
        self.run = run
        self._prepared = prepared
        self._manifest = manifest

    def compute(self) -> StoredRun:
        """Measure and write the answer down; the run as it will be once it is complete."""
        name = self._prepared.experiment.name
        measure, declared = registry.load_measure(name), registry.load_arrays(name)
        seed_everything(self.run.seed)
        with self.run.timer("compute"):
            outcome: Any = measure(self.run)
        if not isinstance(outcome, Outcome):
            raise RunFailed(f"measure of exp={name} gave back a {type(outcome).__name__}, allowed: an Outcome")
        if declared is not None:
            check_arrays(declared, outcome.arrays)
        self.folder.write_arrays("arrays.safetensors", outcome.arrays)
        self.folder.write_json("details.json", dict(outcome.details))
        self.folder.write_json("metrics.json", dict(outcome.metrics))
        manifest = replace(self._manifest, notes=tuple(self.run.notes), warnings=tuple(self.run.warnings))
        write_manifest(self.folder, manifest)
        self.run.close()  # the weights are not needed to draw
        self._manifest = manifest.ended_as(Status.COMPLETE, exit_code=outcome.exit_code)
        # A reader of the report sees a complete run; the manifest on disk says so only when all is written.
        return StoredRun(self.folder.path, plain(self._manifest))

    def complete(self) -> StoredRun:
        """Say that everything is there, and drop what only resuming needs."""
        self.folder.write_json("timings.json", self.run.timings)
        write_manifest(self.folder, self._manifest)
        self.run.shards.clear()
        shutil.rmtree(self.folder.path / "work", ignore_errors=True)
        (self.folder.path / "traceback.txt").unlink(missing_ok=True)
        return StoredRun(self.folder.path)

    def record_failure(self, error: BaseException) -> BaseException:
        """Write down why the run ended early; the error to raise."""
        interrupted = not isinstance(error, Exception)
        status = Status.INTERRUPTED if interrupted else Status.FAILED
        line = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}".strip().rstrip(":")
        line = " ".join(line.split())
        try:
            self.folder.write_text("traceback.txt", "".join(traceback.format_exception(error)))
            noted = replace(self._manifest, notes=tuple(self.run.notes), warnings=tuple(self.run.warnings))
            write_manifest(self.folder, noted.ended_as(status, error=line, exit_code=1))
        except RunFailed as unwritable:
            # A full disk: the screen is the only place left to say so.
            return RunFailed(f"{line} (and the run's folder could not be updated: {unwritable})")
        if interrupted:
            return error
        return RunFailed(f"{line} (traceback: {self.folder.path / 'traceback.txt'})")


@contextmanager
def open_run(prepared: Prepared) -> Iterator[OpenRun]:
    """Check the request, begin or resume its folder, and write down how it ended if it ended early.

    Raises `Rejected` (nothing was computed, nothing is left behind) or `RunFailed` (the folder says how far it got).
    """
    config, experiment = prepared.config, prepared.experiment
    started = time.perf_counter()
    subject = find_subject(prepared)
    experiment.check(CheckContext(config, subject))
    folder = RunFolder(prepared.folder)
    is_begun = (prepared.folder / "manifest.json").is_file()
    is_outdated = is_begun and not config.force and prepared.has_other_code
    if config.force or is_outdated:
        folder.clear()
    resumed = _times_resumed(prepared.folder)
    folder.create()
    manifest = replace(
        first_manifest(config, experiment, prepared.identity, prepared.run_id, prepared.digest, resumed),
        tokenizer=tokenizer_facts(prepared.tokenizer),
    )
    write_manifest(folder, manifest)
    folder.write_text("config.yaml", config_yaml(config))
    run = Run(config, folder, subject)
    for note in _notes_on_the_file(prepared):
        run.note(note)
    if is_outdated:
        run.note("The experiment's code has changed since this run was begun: it was computed from the start.")
    run.timings["prepare"] = time.perf_counter() - started
    opened = OpenRun(prepared, folder, manifest, run)
    try:
        yield opened
    except Rejected:
        # Found out only while booting: nothing was computed, so nothing may look like a run.
        folder.remove_if_nothing_computed()
        raise
    except BaseException as error:
        raise opened.record_failure(error) from error
    finally:
        run.close()
        gc.collect()


def _notes_on_the_file(prepared: Prepared) -> list[str]:
    """What a reader must know of a GGUF file, as far as this run uses it."""
    gguf = prepared.identity.gguf if prepared.identity is not None else None
    if gguf is None:
        return []
    of_weights = gguf.weights_note if Needs.MODEL in prepared.experiment.needs else None
    of_tokenizer = gguf.tokenizer_note if prepared.tokenizer is None else None
    return [note for note in (of_weights, of_tokenizer) if note is not None]


def _times_resumed(path: Path) -> int:
    if not (path / "manifest.json").is_file():
        return 0
    return int(StoredRun(path).manifest.get("resumed", 0)) + 1
