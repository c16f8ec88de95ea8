"""Weights & Biases: the one importer of wandb."""

import netrc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from harness.reporting.display import Display
from harness.reporting.figures.tables import plain
from harness.reporting.report.attention import standalone
from harness.runs.config.schema import TrackerConfig
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

# Seconds. The tracker's own time limit stands above them.
_INIT_TIMEOUT, _FINISH_TIMEOUT, _LOGIN_TIMEOUT = 60, 180, 5
_LONGEST_ID = 120
_LONGEST_TAG = 64
_MOST_ROWS = 10_000
"""Of a table: a vocabulary's would be tens of megabytes. The run's folder, which is logged too, has it whole."""
_CLOUD = (".wandb.ai", ".coreweave.com")


class Mode(Enum):
    """Where a run is logged to."""

    ONLINE = "online"
    OFFLINE = "offline"
    DISABLED = "disabled"


class WandbTracker:
    """Logs a complete run once: an offline run cannot be continued later."""

    def __init__(self, config: TrackerConfig, results_dir: Path, sweep_id: str | None) -> None:
        self._config = config
        self._results_dir = results_dir
        self._sweep_id = sweep_id

    def log_run(self, run: StoredRun, display: Display) -> str | None:
        """Answer, config, metrics, curves, tables, attention patterns, figures, report and the run folder; raises
        whatever wandb raises."""
        with self._prepared() as mode:
            return None if mode is Mode.DISABLED else self._log(run, display, mode)

    def group_found(self, run: StoredRun) -> None:
        """Put a run that is online into this sweep's group; one that was logged offline can't be changed any more."""
        if self._sweep_id is None:
            return
        with self._prepared() as mode:
            if mode is Mode.ONLINE:
                self._session(run, mode, resume="must").finish()

    @contextmanager
    def _prepared(self) -> Iterator[Mode]:
        # Before the import: wandb reads it when it is loaded.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        with _own_folders(self._results_dir.resolve() / "wandb"):
            yield choose_mode()

    def _session(self, run: StoredRun, mode: Mode, **more: Any) -> Any:
        return _library().init(
            project=self._config.project,
            entity=self._config.entity,
            id=stable_id(run),
            name=_name(run),
            group=self._sweep_id,
            job_type=run.experiment,
            tags=_tags(run),
            dir=str(self._results_dir.resolve()),
            config=_config(run),
            notes="\n".join([*([run.answer.sentence] if run.answer else []), *run.notes]) or None,
            settings=_settings(mode),
            **more,
        )

    def _log(self, run: StoredRun, display: Display, mode: Mode) -> str:
        session = self._session(run, mode)
        try:
            for step, values in _curves(run):
                session.log(values, step=step)
            session.log(dict(_media(run, display)))
            summary = {key: value for key, value in run.metrics.items() if value is not None}
            session.summary.update(({"answer": visible(run.answer.sentence)} if run.answer else {}) | summary)
            session.log_artifact(_artifact(run))
        except BaseException:
            session.finish(exit_code=1)
            raise
        where = session.url if mode is Mode.ONLINE else Path(session.dir).parent
        session.finish()
        return f"logged to {where}" + ("" if mode is Mode.ONLINE else f" (to send it: wandb sync {where})")


def _library() -> Any:
    """wandb, imported no earlier than it is used: it reads environment variables that are set just before."""
    import wandb

    return wandb


def choose_mode() -> Mode:
    """Online when a key is configured, offline otherwise; WANDB_MODE may only say less than that. Never a prompt."""
    mode = os.environ.get("WANDB_MODE", "").lower()
    if mode == "disabled":
        return Mode.DISABLED
    if mode in ("offline", "dryrun") or not has_key():
        return Mode.OFFLINE
    return Mode.ONLINE


def has_key() -> bool:
    """Whether wandb could log in without asking: environment, its own settings, or netrc."""
    wandb = _library()
    settings = wandb.setup().settings
    if settings.api_key or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    server = urlparse(settings.base_url).netloc
    # The cloud's host was renamed; netrc entries of the old name still count.
    hosts = (server, "api.wandb.ai") if server.endswith(_CLOUD) else (server,)
    named = os.environ.get("NETRC")
    for path in (named,) if named else ("~/.netrc", "~/_netrc"):
        try:
            entries = netrc.netrc(os.path.expanduser(path))
        except (OSError, netrc.NetrcParseError):
            continue
        if any(entries.authenticators(host) for host in hosts):
            return True
    return False


def stable_id(run: StoredRun) -> str:
    """The same id for the same run, of the characters that wandb takes."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", f"{run.experiment}-{run.run_id}")[-_LONGEST_ID:]


def _name(run: StoredRun) -> str:
    """What a person tells runs apart by: experiment, model, pools, seed; the hash last."""
    pools = "/".join(run.details.get("pools") or ())
    parts = (run.experiment, run.model, pools, f"seed {run.config.get('seed', 0)}", run.run_id.rpartition("-")[2])
    return visible(" ".join(part for part in parts if part))[:_LONGEST_ID]


def _tags(run: StoredRun) -> list[str]:
    """Experiment, model and pools."""
    found = (run.experiment, run.model, *(run.details.get("pools") or ()))
    return list(dict.fromkeys(visible(tag)[:_LONGEST_TAG] for tag in found if tag))


def _settings(mode: Mode) -> Any:
    wandb = _library()
    return wandb.Settings(
        mode=mode.value,
        silent=True,
        console="off",
        # A run of the person's own in this process stays theirs.
        reinit="create_new",
        disable_git=True,
        disable_code=True,
        save_code=False,
        disable_job_creation=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        init_timeout=_INIT_TIMEOUT,
        finish_timeout=_FINISH_TIMEOUT,
        login_timeout=_LOGIN_TIMEOUT,
    )


def _config(run: StoredRun) -> dict[str, Any]:
    """The resolved config, and from the manifest what tells runs apart."""
    manifest = run.manifest
    kept = (
        "run_id",
        "config_hash",
        "schema_version",
        "experiment_version",
        "model",
        "git",
        "packages",
        "started",
        "ended",
    )
    return {**run.config, "manifest": {key: manifest.get(key) for key in kept}}


def _media(run: StoredRun, display: Display) -> Iterator[tuple[str, Any]]:
    """Everything that is logged in one step; numbers keep their names in metrics.json."""
    wandb = _library()
    for name, value in run.metrics.items():
        if isinstance(value, int | float):
            yield name, value
    for table in display.tables:
        frame = table.build(run)
        if frame is not None and not frame.empty:
            yield f"tables/{table.name}", _table(frame)
    for name, figure in run.figures.items():
        yield f"figures/{name}", wandb.Image(str(figure.png))
    for curves in display.curves(run):
        lines = list(curves.lines.values())
        yield (
            f"curves/{curves.name}",
            wandb.plot.line_series(
                xs=list(curves.x), ys=lines, keys=list(curves.lines), title=curves.name, xname=curves.x_label
            ),
        )
    report = run.folder / "report.html"
    if report.is_file():
        # As it is: it allows no script but its own, and loads nothing.
        yield "report", wandb.Html(str(report), inject=False)
    panels = display.panels(run)
    if panels:
        yield "attention_patterns", wandb.Html(standalone(panels), inject=False)


def _curves(run: StoredRun) -> Iterator[tuple[int, dict[str, float]]]:
    """Records that name a training step, as a history: the values of every step in order."""

    records = run.records
    if records.empty or "step" not in records or not is_numeric_dtype(records["step"]):
        return
    names = [
        name for name in records.columns
        if name != "step" and is_numeric_dtype(records[name]) and not is_bool_dtype(records[name])
    ]  # fmt: skip
    stepped = records.dropna(subset=["step"])
    for step in sorted({int(value) for value in stepped["step"].tolist()}):
        rows = stepped[stepped["step"] == step]
        values = {f"curve/{name}": float(found.iloc[-1]) for name in names if len(found := rows[name].dropna())}
        if values:
            yield step, values


def _table(frame: pd.DataFrame) -> Any:
    wandb = _library()
    rows: list[Any] = [
        [visible(cell) if isinstance(cell, str) else cell for cell in (plain(value) for value in row)]
        for row in frame.head(_MOST_ROWS).itertuples(index=False)
    ]
    return wandb.Table(columns=[str(name) for name in frame.columns], data=rows, allow_mixed_types=True)


def _artifact(run: StoredRun) -> Any:
    wandb = _library()
    artifact = wandb.Artifact(stable_id(run), type="run", metadata={"experiment": run.experiment, "model": run.model})
    # File by file, because add_dir speaks on the terminal. Immutable: a complete run's files are not copied first.
    for path in sorted(path for path in run.folder.rglob("*") if path.is_file()):
        artifact.add_file(str(path), name=path.relative_to(run.folder).as_posix(), policy="immutable")
    return artifact


@contextmanager
def _own_folders(folder: Path) -> Iterator[None]:
    """Keep wandb's staging area and logs with its runs instead of the home directory, unless the person says where."""
    ours = {"WANDB_DATA_DIR": folder / "data", "WANDB_CACHE_DIR": folder / "cache"}
    added = {name: path for name, path in ours.items() if name not in os.environ}
    for name, path in added.items():
        path.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(path)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
