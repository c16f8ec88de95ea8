import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from experiments.repeat_tokens.display import DISPLAY as REPEAT_TOKENS
from harness.reporting.drawing import draw
from harness.reporting.figures.drawing import draw_run
from harness.reporting.tracking import NullTracker, make_tracker
from harness.reporting.tracking import _wandb_tracker as WANDB_MODULE
from harness.reporting.tracking._tracker import BoundedTracker
from harness.reporting.tracking._wandb_tracker import Mode, WandbTracker, _table, choose_mode, stable_id
from harness.runs.config.schema import TrackerConfig, TrackerKind
from harness.runs.experiment import Experiment
from harness.runs.folder import RunFolder
from harness.runs.results.stored_run import load_run
from tests.unit.runs.results.stored_runs import FEW_FIGURES as DISPLAY
from tests.unit.runs.results.stored_runs import HOSTILE_TOKENS, Made, write_run

SMALL = Made(seq_len=3, n_layers=2, n_heads=4, n_top=2)


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "home" / "config"))


@dataclass
class _Session:
    """Stands where wandb's run would, and remembers."""

    logged: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: list[Any] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    curve: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    url: str | None = "https://wandb.example.org/p/runs/1"
    dir: str = "/results/wandb/offline-run-1/files"

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        if step is not None:
            self.curve.append((step, values))
            return
        self.logged |= values

    def log_artifact(self, artifact: Any) -> None:
        self.artifacts.append(artifact)

    def finish(self, exit_code: int = 0) -> None:
        self.finished.append(exit_code)


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """One real offline run, logged by another process in an empty working directory with nothing to type on."""
    base = tmp_path_factory.mktemp("offline")
    results, cwd, home = (base / name for name in ("results", "cwd", "home"))
    cwd.mkdir()
    run = write_run(results, SMALL)
    draw_run(run, DISPLAY, RunFolder(run.folder))
    program = (
        "import sys; from pathlib import Path\n"
        "from harness.runs.config.schema import TrackerConfig\n"
        "from harness.reporting.console import configure_logging\n"
        "from harness.runs.results.stored_run import load_run\n"
        "from harness.reporting.tracking import make_tracker\n"
        "from tests.unit.runs.results.stored_runs import FEW_FIGURES\n"
        "configure_logging()\n"
        "tracker = make_tracker(TrackerConfig(project='p'), Path(sys.argv[1]), 'sweep-7')\n"
        "tracker.log_run(load_run(sys.argv[2]), FEW_FIGURES)\n"
    )
    root = Path(__file__).resolve().parents[4]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
    # matplotlib keeps its list of fonts in the home directory: not what is looked at here.
    environment = {**kept, "HOME": str(home), "NETRC": str(home / "netrc"), "PYTHONPATH": str(root)}
    environment["MPLCONFIGDIR"] = str(results.parent / "matplotlib")
    done = subprocess.run(
        [sys.executable, "-c", program, str(results), str(run.folder)],
        cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    (folder,) = (results / "wandb").glob("offline-run-*")
    yield SimpleNamespace(run=run, done=done, folder=folder, cwd=cwd, home=home)


def test_an_offline_run_is_silent_and_asks_nothing(offline: SimpleNamespace) -> None:
    assert (offline.done.returncode, offline.done.stdout, offline.done.stderr) == (0, "", "")


def test_nothing_is_written_outside_the_results_folder(offline: SimpleNamespace) -> None:
    assert list(offline.cwd.iterdir()) == []
    assert not offline.home.exists() or not [path for path in offline.home.rglob("*") if path.is_file()]


def test_an_offline_run_holds_metrics_config_and_the_run_folder(offline: SimpleNamespace) -> None:
    (log,) = offline.folder.glob("*.wandb")
    assert log.name == f"run-{stable_id(offline.run)}.wandb"
    data = log.read_bytes()
    for expected in (
        "sweep-7", "repeat_tokens", offline.run.run_id, "unused/copy_gain", "common/induction_head", "seq_len",
        "config_hash", "records.jsonl", "metrics.json", "arrays.safetensors", "attention_patterns",
    ):  # fmt: skip
        assert expected.encode() in data, expected


def test_an_offline_run_holds_tables_pictures_and_patterns(offline: SimpleNamespace) -> None:
    media = offline.folder / "files" / "media"
    tables = {path.name.split("_0_")[0]: json.loads(path.read_text()) for path in (media / "table").rglob("*.json")}
    assert {"pool_metrics", "by_position", "head_scores", "pools"} <= set(tables)
    assert len(tables["by_position"]["data"]) == 2 * 2 * SMALL.seq_len
    assert len(tables["head_scores"]["data"]) == 2 * SMALL.n_layers * SMALL.n_heads
    pictures = {path.name.split("_0_")[0] for path in (media / "images").rglob("*.png")}
    assert pictures == {figure.name for figure in DISPLAY.figures}
    (page,) = (media / "html").glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "CircuitsVis.AttentionHeads" in text
    assert HOSTILE_TOKENS[0] not in text and "\u202e" not in text


def _with_session(monkeypatch: pytest.MonkeyPatch) -> tuple[_Session, dict[str, Any]]:
    import wandb

    session, asked = _Session(), {}

    def init(**arguments: Any) -> _Session:
        asked.update(arguments)
        return session

    monkeypatch.setattr(wandb, "init", init)
    return session, asked


def test_a_run_is_logged_once_with_group_job_type_and_a_stable_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, asked = _with_session(monkeypatch)
    run = write_run(tmp_path, SMALL)
    where = make_tracker(TrackerConfig(project="p", entity="e"), tmp_path, "sweep-7").log_run(run, DISPLAY)
    assert where == "logged to /results/wandb/offline-run-1 (to send it: wandb sync /results/wandb/offline-run-1)"
    assert (asked["project"], asked["entity"], asked["group"], asked["job_type"]) == (
        "p",
        "e",
        "sweep-7",
        "repeat_tokens",
    )
    assert asked["id"] == stable_id(run)
    assert asked["name"] == f"repeat_tokens pocket unused/common seed 0 {run.run_id.removeprefix('pocket-')}"
    assert set(asked["tags"]) == {"repeat_tokens", "pocket", "unused", "common"}
    assert asked["dir"] == str(tmp_path) and asked["settings"].mode == "offline"
    assert asked["config"]["exp"]["seq_len"] == 3
    assert session.logged["unused/copy_gain"] == run.metrics["unused/copy_gain"]
    assert session.summary["unused/induction_head"] == "1.2"
    assert session.finished == [0]
    (artifact,) = session.artifacts
    stored = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert set(artifact.manifest.entries) == stored


def test_answer_report_and_curves_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, asked = _with_session(monkeypatch)
    run = write_run(tmp_path, SMALL)
    draw(run, RunFolder(run.folder), REPEAT_TOKENS)
    make_tracker(TrackerConfig(), tmp_path, None).log_run(load_run(run.folder), REPEAT_TOKENS)
    assert session.summary["answer"].startswith("When pocket sees") and asked["notes"].startswith("When pocket sees")
    assert "report" in session.logged
    chart = session.logged["curves/log-prob by position"]
    assert set(chart.table.get_column("lineKey")) == {"unused", "common"} and len(chart.table.data) == 2 * 6


def test_a_run_that_a_sweep_finds_joins_its_group_where_it_is_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, asked = _with_session(monkeypatch)
    run = write_run(tmp_path, SMALL)
    make_tracker(TrackerConfig(), tmp_path, "sweep-8").group_found(run)
    assert asked == {}
    monkeypatch.setattr(WANDB_MODULE, "choose_mode", lambda: Mode.ONLINE)
    make_tracker(TrackerConfig(), tmp_path, "sweep-8").group_found(run)
    assert (asked["group"], asked["resume"], asked["id"]) == ("sweep-8", "must", stable_id(run))
    assert session.finished == [0] and session.logged == {} and session.artifacts == []


def test_a_table_of_runs_keeps_one_set_of_lines_a_run(tmp_path: Path) -> None:
    tracker = make_tracker(TrackerConfig(kind=TrackerKind.CSV), tmp_path, None)
    runs = [write_run(tmp_path, SMALL), write_run(tmp_path, Made(seq_len=3, seed=1))]
    for run in (*runs, runs[0]):
        assert tracker.log_run(run, DISPLAY) == f"logged to {tmp_path / 'runs.csv'}"
    table = pd.read_csv(tmp_path / "runs.csv")
    assert table["run_id"].drop_duplicates().tolist() == [runs[1].run_id, runs[0].run_id]
    assert not table.duplicated(["run_id", "metric"]).any()
    row = table[(table["run_id"] == runs[0].run_id) & (table["metric"] == "common/copy_gain")].iloc[0]
    assert (row["value"], row["ci_low"], row["ci_high"]) == runs[0].interval("common/copy_gain")


def test_records_of_a_training_are_a_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = _with_session(monkeypatch)
    run = write_run(tmp_path, SMALL)
    rows = [
        {"item": "probe/4", "step": 4, "exact_match": 0.5},
        {"item": "loss/2", "step": 2, "loss": 1.5},
        {"item": "loss/4", "step": 4, "loss": 1.25},
    ]
    (run.folder / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    make_tracker(TrackerConfig(), tmp_path, None).log_run(load_run(run.folder), DISPLAY)
    assert session.curve == [(2, {"curve/loss": 1.5}), (4, {"curve/exact_match": 0.5, "curve/loss": 1.25})]


def test_a_failing_wandb_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import wandb

    def init(**_: Any) -> None:
        raise wandb.errors.CommError("planted\nover two lines")

    monkeypatch.setattr(wandb, "init", init)
    run = write_run(tmp_path, SMALL)
    make_tracker(TrackerConfig(), tmp_path, None).log_run(run, DISPLAY)
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "planted over two lines" in record.getMessage() and run.run_id in record.getMessage()


def test_a_wandb_that_fails_half_way_is_ended_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session, _ = _with_session(monkeypatch)

    def log_artifact(_: Any) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(session, "log_artifact", log_artifact)
    make_tracker(TrackerConfig(), tmp_path, None).log_run(write_run(tmp_path, SMALL), DISPLAY)
    assert session.finished == [1]
    assert "SystemExit" in caplog.text


def test_a_tracker_that_hangs_is_left_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Hanging:
        def log_run(self, run: Any, experiment: Experiment) -> None:
            time.sleep(30)

        def group_found(self, run: Any) -> None:
            pass

    started = time.monotonic()
    BoundedTracker(Hanging(), "wandb", time_limit=0.2).log_run(write_run(tmp_path, SMALL), DISPLAY)
    assert time.monotonic() - started < 10
    assert "no answer within" in caplog.text


def test_online_only_with_a_key_and_never_against_the_persons_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def fresh() -> Mode:
        wandb.teardown()
        return choose_mode()

    assert fresh() is Mode.OFFLINE
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "netrc").write_text("machine api.wandb.ai login user password " + "0" * 40 + "\n")
    assert fresh() is Mode.ONLINE
    (home / "netrc").write_text("machine example.org login user password x\n")
    assert fresh() is Mode.OFFLINE
    (home / "netrc").write_text("machine api.wandb.ai login user password " + "0" * 40 + "\n")
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert fresh() is Mode.OFFLINE
    monkeypatch.delenv("WANDB_BASE_URL")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert fresh() is Mode.ONLINE
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert fresh() is Mode.OFFLINE
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert fresh() is Mode.DISABLED


def test_disabled_by_the_environment_logs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = _with_session(monkeypatch)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    WandbTracker(TrackerConfig(), tmp_path, None).log_run(write_run(tmp_path, SMALL), DISPLAY)
    assert asked == {}


def test_ids_hold_only_what_wandb_takes(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL)
    run.manifest["run_id"] = "a/b:c#d%" + "x" * 300
    assert set(stable_id(run)) <= set("abcdefghijklmnopqrstuvwxyz_-.") and len(stable_id(run)) <= 120


def test_none_is_a_tracker_that_does_nothing(tmp_path: Path) -> None:
    tracker = make_tracker(TrackerConfig(kind=TrackerKind.NONE), tmp_path, None)
    assert isinstance(tracker, NullTracker)
    tracker.log_run(write_run(tmp_path, SMALL), DISPLAY)
    assert not (tmp_path / "wandb").exists()


def test_a_table_of_a_whole_vocabulary_is_cut_and_the_folder_has_it_whole() -> None:
    table = _table(pd.DataFrame({"id": range(25_000)}))
    assert len(table.data) == 10_000 and table.data[-1] == [9_999]
    assert len(_table(pd.DataFrame({"id": range(10_000)})).data) == 10_000
