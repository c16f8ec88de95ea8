"""A command as a user types it, on an experiment that needs no model: ids, resume, locks, failures, sweeps."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

OUTSIDE = Path(__file__).parents[1] / "helpers" / "outside"


def command(*words: str, results: Path) -> list[str]:
    given = ["--config-dir", str(OUTSIDE), *words, f"results_dir={results}", "tracker=none"]
    return [sys.executable, "-m", "harness", *given]


def harness(*words: str, results: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words, results=results), capture_output=True, text=True, timeout=120, cwd=results)


def only_run(results: Path) -> Path:
    found = [path.parent for path in results.glob("toy/*/manifest.json")]
    assert len(found) == 1
    return found[0]


def test_a_run_leaves_its_folder_and_nothing_else(tmp_path):
    done = harness("exp=toy", results=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = only_run(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["ended"]
    assert manifest["seed"]["seed"] == 0
    assert {"manifest.json", "config.yaml", "metrics.json", "timings.json", "records.jsonl", "details.json",
            "arrays.safetensors", "report.html"} <= {path.name for path in folder.iterdir()}  # fmt: skip
    assert not (folder / "shards").exists()
    assert json.loads((folder / "metrics.json").read_text())["toy/nan"] is None
    assert str(folder) in done.stdout
    assert "toys are only toys" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_complete_run_is_not_computed_again_but_force_does(tmp_path):
    log = tmp_path / "log"
    words = ["exp=toy", "exp.n=2", f"exp.log={log}"]
    harness(*words, results=tmp_path)
    harness(*words, results=tmp_path)
    assert len(log.read_text().splitlines()) == 2
    harness(*words, "force=true", results=tmp_path)
    assert len(log.read_text().splitlines()) == 4


def test_new_published_figures_are_drawn_beside_an_old_answer(tmp_path):
    log = tmp_path / "log"
    # Figures that name no model stand beside every run.
    words = ["exp=toy", "exp.n=2", f"exp.log={log}", "pools=blog", "reference.model=null"]
    assert harness(*words, results=tmp_path).returncode == 0
    before = (only_run(tmp_path) / "config.yaml").read_text()
    done = harness(*words, "reference.source=elsewhere", results=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "elsewhere" in (only_run(tmp_path) / "config.yaml").read_text()
    assert "elsewhere" not in before
    assert len(log.read_text().splitlines()) == 2


def test_killed_and_started_again_it_ends_with_the_same_bytes(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    words = ["exp=toy", "exp.n=8", "exp.sleep=0.3"]
    process = subprocess.Popen(command(*words, results=killed), cwd=killed)
    deadline = time.monotonic() + 60
    while len(list(killed.glob("toy/*/shards/*.safetensors"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert json.loads((only_run(killed) / "manifest.json").read_text())["status"] == "running"
    assert not (only_run(killed) / "metrics.json").exists()
    assert harness(*words, results=killed).returncode == 0
    assert harness(*words, results=whole).returncode == 0
    for name in ("metrics.json", "records.jsonl", "arrays.safetensors"):
        assert (only_run(killed) / name).read_bytes() == (only_run(whole) / name).read_bytes()
    assert json.loads((only_run(killed) / "manifest.json").read_text())["resumed"] == 1


def test_two_processes_with_the_same_id_compute_it_once(tmp_path):
    log = tmp_path / "log"
    words = ["exp=toy", "exp.n=3", "exp.sleep=0.5", f"exp.log={log}"]
    first = subprocess.Popen(command(*words, results=tmp_path), cwd=tmp_path)
    while not list(tmp_path.glob("toy/*/shards/*")):
        time.sleep(0.05)
    # Stopped while it holds the lock, so that the second meets it however slow this machine is.
    first.send_signal(signal.SIGSTOP)
    second = subprocess.Popen(command(*words, results=tmp_path), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    give_up = threading.Timer(60, first.send_signal, [signal.SIGCONT])
    give_up.start()
    line = second.stderr.readline()
    give_up.cancel()
    first.send_signal(signal.SIGCONT)
    second.communicate(timeout=60)
    assert "another process" in line
    assert first.wait(timeout=60) == 0
    assert second.returncode == 0
    assert len(log.read_text().splitlines()) == 3


@pytest.mark.parametrize(("at", "line"), [(3, "told to fail"), (2, "ZeroDivisionError: a bug")])
def test_a_failure_while_computing_is_one_line_and_a_traceback_in_the_folder(tmp_path, at, line):
    done = harness("exp=toy", f"exp.fail_at={at}", results=tmp_path)
    assert done.returncode == 1
    assert line in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    folder = only_run(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "failed"
    assert line in manifest["error"]
    assert "Traceback" in (folder / "traceback.txt").read_text()


def test_a_rejected_request_leaves_nothing(tmp_path):
    done = harness("exp=toy", "exp.n=0", results=tmp_path)
    assert done.returncode == 2
    assert "exp.n" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_gate_has_its_own_exit_code(tmp_path):
    assert harness("exp=toy", "exp.gate=true", results=tmp_path).returncode == 3
    assert harness("exp=toy", "exp.gate=true", results=tmp_path).returncode == 3  # also when found complete


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere; test_results_dir_is_a_file covers the refusal")
def test_read_only_results(tmp_path):
    tmp_path.chmod(0o500)
    done = harness("exp=toy", results=tmp_path / "below")
    tmp_path.chmod(0o700)
    assert done.returncode == 2
    assert "results_dir" in done.stderr


def test_results_dir_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("")
    done = subprocess.run(command("exp=toy", results=tmp_path / "taken"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "results_dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sweep_goes_on_after_a_failed_job(tmp_path):
    done = harness("-m", "exp=toy", "exp.fail_at=-1,1", "seed=0,1", results=tmp_path)
    assert done.returncode == 1
    states = sorted(json.loads(path.read_text())["status"] for path in tmp_path.glob("toy/*/manifest.json"))
    assert states == ["complete", "complete", "failed", "failed"]
    assert "2 of 4 runs are complete" in done.stdout
    assert len(list(tmp_path.glob("toy/*/traceback.txt"))) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"toy", "sweeps"}
    ids = {json.loads(path.read_text())["sweep_id"] for path in tmp_path.glob("toy/*/manifest.json")}
    assert len(ids) == 1


def test_a_prepared_sweep_names_its_experiment_and_what_is_typed_wins(tmp_path):
    done = harness("sweep=toys", "seed=3", results=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs are complete" in done.stdout
    manifests = [json.loads(path.read_text()) for path in tmp_path.glob("toy/*/manifest.json")]
    assert [manifest["seed"]["seed"] for manifest in manifests] == [3, 3]
    configs = [path.read_text() for path in tmp_path.glob("toy/*/config.yaml")]
    assert sorted(text.count("'n': 2\n") for text in configs) == [0, 1]


def test_a_mistake_in_one_job_of_a_sweep_is_refused_before_any_runs(tmp_path):
    done = harness("-m", "exp=toy", "exp.n=2,0", results=tmp_path)
    assert done.returncode == 2
    assert "exp.n" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_launchers_in_other_processes(tmp_path, launcher):
    done = harness("-m", "exp=toy", "seed=0,1", f"hydra/launcher={launcher}", results=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("toy/*/metrics.json"))) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"toy", "sweeps"}


def test_help_names_every_experiment_and_options_are_checked(tmp_path):
    done = harness("--help", results=tmp_path)
    assert done.returncode == 0
    assert "repeat_tokens" in done.stdout
    assert "An experiment outside the project" in done.stdout
    wrong = harness("--frobnicate", results=tmp_path)
    assert wrong.returncode == 2


def test_cfg_job_prints_every_parameter(tmp_path):
    done = harness("exp=toy", "--cfg", "job", results=tmp_path)
    assert done.returncode == 0
    assert "fail_at: -1" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_broken_import_is_told_from_an_unknown_name(tmp_path):
    done = harness("exp=nothing", results=tmp_path)
    assert done.returncode == 2
    assert "'nothing'" in done.stderr
