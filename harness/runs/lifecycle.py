"""One run from a typed config to a complete folder: identity, lock, resume, run, draw, track."""

import gc
import logging
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from harness.errors import HarnessError, Rejected, RunFailed
from harness.models.config import ModelConfig
from harness.models.facts import VocabFacts, load_facts
from harness.models.identity import ModelIdentity, resolve_identity
from harness.models.tokenizer_identity import TokenizerIdentity, resolve_tokenizer
from harness.models.tokenizers import Tokenizer, load_tokenizer
from harness.reporting import console
from harness.reporting.figures.drawing import draw_run
from harness.reporting.report.html import render_report
from harness.reporting.tracking import make_tracker
from harness.runs import registry
from harness.runs.config.schema import RunConfig
from harness.runs.context import CheckContext, Outcome, Run
from harness.runs.folder import RunFolder
from harness.runs.identity import answer_key, config_hash, plain, run_id
from harness.runs.manifest import Manifest, Status, first_manifest, tokenizer_facts
from harness.runs.registry import Experiment, Needs
from harness.runs.results.stored_run import StoredRun
from harness.runs.seeding import seed_everything
from harness.tokens.pools import Pool, resolve_pools

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """Everything known about a run before any weights are loaded."""

    config: RunConfig
    experiment: Experiment
    identity: ModelIdentity | None
    """None where no model takes part."""
    tokenizer: TokenizerIdentity | None
    """The tokenizer named in the config; None where the model's own is used, or none."""
    digest: str
    run_id: str

    @property
    def folder(self) -> Path:
        """Where the run lives."""
        return self.config.results_dir / self.experiment.name / self.run_id


def prepare(config: RunConfig) -> Prepared:
    """Find out who model and tokenizer are and what the run is called. Raises `Rejected`."""
    experiment = registry.load(config.exp_name)
    identity = tokenizer = None
    if uses_model(config, experiment):
        identity = resolve_identity(config.model)
    if config.tokenizer.name is not None and experiment.needs & {Needs.MODEL, Needs.TOKENIZER}:
        tokenizer = resolve_tokenizer(config.tokenizer.name)
    digest = config_hash(answer_key(config, experiment, identity, tokenizer))
    label = identity.label if identity else tokenizer.label if tokenizer else ""
    return Prepared(config, experiment, identity, tokenizer, digest, run_id(label, digest))


def uses_model(config: RunConfig, experiment: Experiment) -> bool:
    """Whether a model takes part.

    An experiment that needs no more than a tokenizer gets the model's own and learns its number of rows; where
    `tokenizer.name` is given it works on that alone, unless a model other than the default is asked for beside it.
    """
    if Needs.MODEL in experiment.needs:
        return True
    asked = config.tokenizer.name is None or config.model.name != ModelConfig().name
    return Needs.TOKENIZER in experiment.needs and asked


def execute(config: RunConfig) -> StoredRun:
    """Do the run, or return it where a complete one with the same id exists (unless `force`).

    Raises `Rejected` (nothing was computed, nothing is left behind) or `RunFailed` (the folder says how far it got).
    """
    prepared = prepare(config)
    with _locked(prepared):
        existing = _complete_run(prepared)
        if existing is not None:
            log.info("%s is complete; not computed again (force=true does)", prepared.folder)
            return _with_its_reference(prepared, existing)
        return _execute(prepared)


def _complete_run(prepared: Prepared) -> StoredRun | None:
    if prepared.config.force or not (prepared.folder / "manifest.json").is_file():
        return None
    run = StoredRun(prepared.folder)
    complete = run.status == Status.COMPLETE.value and run.manifest.get("config_hash") == prepared.digest
    return run if complete else None


def _with_its_reference(prepared: Prepared, run: StoredRun) -> StoredRun:
    """Published figures change no answer, only what is drawn beside it: a complete run is drawn again with others."""
    reference = plain(prepared.config.reference)
    if run.config.get("reference") == reference:
        return run
    folder = RunFolder(prepared.folder)
    folder.write_text("config.yaml", config_yaml(prepared.config))
    run = StoredRun(prepared.folder)
    _draw(run, folder, prepared.experiment)
    return run


def _draw(run: StoredRun, folder: RunFolder, experiment: Experiment) -> None:

    draw_run(run, experiment, folder)
    folder.write_text("report.html", render_report(run, experiment))


@contextmanager
def _locked(prepared: Prepared) -> Iterator[None]:
    """Only one process computes a run; another that wants it waits and then finds it complete."""

    path = prepared.config.results_dir / prepared.experiment.name / ".locks" / f"{prepared.run_id}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            console.warn(f"another process is computing {prepared.run_id}; waiting for it to end")
            lock.acquire()
    except OSError as error:
        raise Rejected(f"results_dir: cannot write below {path.parent}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def _inputs(prepared: Prepared) -> tuple[VocabFacts | None, Tokenizer | None, Mapping[str, Pool]]:
    """Vocabulary, tokenizer and pools: what a request can be refused on without loading weights."""
    config, needs = prepared.config, prepared.experiment.needs
    facts: VocabFacts | None = None
    tokenizer: Tokenizer | None = None
    pools: Mapping[str, Pool] = {}
    if prepared.identity is not None or prepared.tokenizer is not None:
        tokenizer = load_tokenizer(prepared.identity, config.model, config.tokenizer)
    if Needs.TOKENIZER in needs and tokenizer is None:
        raise Rejected(
            f"model.name: got {config.model.name!r}: it comes without a tokenizer, which {prepared.experiment.name} "
            "needs; allowed: a model with one, or tokenizer.name=<folder or hub name> beside it"
        )
    if prepared.identity is not None:
        facts = load_facts(prepared.identity, config.model, config.tokenizer, tokenizer)
    if Needs.POOLS in needs and facts is not None:
        pools = resolve_pools(config.pools, facts, config.seed, tokenizer)
    return facts, tokenizer, pools


def _execute(prepared: Prepared) -> StoredRun:
    config, experiment = prepared.config, prepared.experiment
    started = time.perf_counter()
    facts, tokenizer, pools = _inputs(prepared)
    experiment.check(CheckContext(config, config.exp, facts, pools, tokenizer))
    folder = RunFolder(prepared.folder)
    if config.force:
        folder.clear()
    resumed = _times_resumed(prepared.folder)
    folder.create()
    manifest = replace(
        first_manifest(config, experiment, prepared.identity, prepared.run_id, prepared.digest, resumed),
        tokenizer=tokenizer_facts(prepared.tokenizer),
    )
    write_manifest(folder, manifest)
    folder.write_text("config.yaml", config_yaml(config))
    run = Run(config, folder, prepared.identity, facts, pools, tokenizer)
    run.timings["prepare"] = time.perf_counter() - started
    try:
        return _compute_and_draw(run, folder, manifest, experiment)
    except Rejected:
        # Found out only while booting: nothing was computed, so nothing may look like a run.
        folder.remove_if_empty_handed()
        raise
    except BaseException as error:
        raise _record_failure(error, folder, manifest, run) from error
    finally:
        run.close()
        gc.collect()


def _times_resumed(path: Path) -> int:
    if not (path / "manifest.json").is_file():
        return 0
    return int(StoredRun(path).manifest.get("resumed", 0)) + 1


def write_manifest(folder: RunFolder, manifest: Manifest) -> None:
    """manifest.json, whole."""
    folder.write_json("manifest.json", plain(manifest))


def _compute_and_draw(run: Run, folder: RunFolder, manifest: Manifest, experiment: Experiment) -> StoredRun:
    seed_everything(run.seed)
    with run.timer("compute"):
        outcome = experiment.run(run)
    _write_outcome(folder, outcome)
    manifest = replace(manifest, notes=tuple(run.notes))
    write_manifest(folder, manifest)
    run.close()  # the weights are not needed to draw
    if run.store is not None:
        console.show(run.store.summary())
    manifest = manifest.ended_as(Status.COMPLETE, exit_code=outcome.exit_code)
    with run.timer("draw"):
        # The report shows a complete run's manifest; it is on disk before the manifest says so.
        _draw(_as_it_will_be(folder.path, manifest), folder, experiment)
    folder.write_json("timings.json", run.timings)
    write_manifest(folder, manifest)
    run.shards.clear()
    shutil.rmtree(folder.path / "work", ignore_errors=True)
    (folder.path / "traceback.txt").unlink(missing_ok=True)
    stored = StoredRun(folder.path)
    _track(run.config, stored, experiment)
    return stored


def _as_it_will_be(path: Path, manifest: Manifest) -> StoredRun:
    stored = StoredRun(path)
    stored.__dict__["manifest"] = plain(manifest)
    return stored


def _write_outcome(folder: RunFolder, outcome: Outcome) -> None:
    folder.write_arrays("arrays.safetensors", outcome.arrays)
    folder.write_json("details.json", dict(outcome.details))
    folder.write_json("metrics.json", dict(outcome.metrics))


def _track(config: RunConfig, stored: StoredRun, experiment: Experiment) -> None:

    make_tracker(config.tracker, config.results_dir, config.sweep_id).log_run(stored, experiment)


def _record_failure(error: BaseException, folder: RunFolder, manifest: Manifest, run: Run) -> BaseException:
    interrupted = not isinstance(error, Exception)
    status = Status.INTERRUPTED if interrupted else Status.FAILED
    line = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}".strip().rstrip(":")
    line = " ".join(line.split())
    try:
        folder.write_text("traceback.txt", "".join(traceback.format_exception(error)))
        failed = replace(manifest, notes=tuple(run.notes)).ended_as(status, error=line, exit_code=1)
        write_manifest(folder, failed)
    except RunFailed as unwritable:
        # A full disk: the screen is the only place left to say so.
        return RunFailed(f"{line} (and the run's folder could not be updated: {unwritable})")
    if interrupted:
        return error
    return RunFailed(f"{line} (traceback: {folder.path / 'traceback.txt'})")


def config_yaml(config: RunConfig) -> str:
    """The resolved config as YAML, defaults of the experiment included."""

    values = plain(config)
    values["exp"] = {"name": values.pop("exp_name"), **values["exp"]}
    return OmegaConf.to_yaml(OmegaConf.create(values))
