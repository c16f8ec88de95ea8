"""`exp=path_star` as a user types it: what a run leaves, what is found again, and every refusal in one line."""

import json
from pathlib import Path

import pytest

import harness
from harness.cli import run_command
from harness.path_star import ways
from harness.path_star.ways import roster
from harness.runs.results.stored_run import StoredRun, load_run

pytestmark = pytest.mark.acceptance

TINY = (
    "exp.graph=2x3", "exp.n_values=10", "exp.n_train=200", "exp.n_held_out=60", "exp.n_test=40", "exp.n_probe=20",
    "exp.n_layers=2", "exp.d_model=16", "exp.n_heads=2", "exp.n_steps=6", "exp.batch_size=8", "exp.warmup_steps=1",
    "exp.probe_every=3", "exp.checkpoint_every=3", "exp.n_lookup=16", "exp.first_only_steps=3", "tracker=none",
)  # fmt: skip


def given(*words: str) -> list[str]:
    """The tiny run's words with some of them replaced or added."""
    values = dict(word.split("=", 1) for word in (*TINY, *words))
    return [f"{key}={value}" for key, value in values.items()]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("path_star")


@pytest.fixture(scope="module")
def run(results: Path) -> StoredRun:
    return harness.run("path_star", *given(f"results_dir={results}"))


def test_every_metric_is_there(run: StoredRun) -> None:
    names = {"exact_match", "chance", "clever_hans/given_first", "clever_hans/wrong_first_followed",
             "clever_hans/first_only", "edge_lookup/score"}  # fmt: skip
    names |= {f"position_{i}/{kind}" for i in (1, 2, 3) for kind in ("generated", "teacher_forced")}
    assert names <= set(run.metrics)
    assert all(isinstance(run.metrics[name], float) for name in names)
    assert run.metrics["chance"] == 0.5
    assert len(run.records) == 40
    assert run.arrays["edge_lookup/child"].shape == (2, 2, 2)


def test_the_trainings_are_runs_of_their_own_and_found_again(run: StoredRun, results: Path) -> None:
    trained = {path.parent.name for path in results.glob("train_path_star/*/manifest.json")}
    assert trained == {run.details["training"]["run_id"], run.details["first_only"]["run_id"]}
    before = {path: path.stat().st_mtime_ns for path in results.glob("train_path_star/*/manifest.json")}
    other = harness.run("path_star", *given("exp.n_test=20", f"results_dir={results}"))
    assert other.run_id != run.run_id
    assert other.details["training"] == run.details["training"]
    assert {path: path.stat().st_mtime_ns for path in results.glob("train_path_star/*/manifest.json")} == before


def test_a_checkpoint_is_examined_without_training(run: StoredRun, results: Path, tmp_path: Path) -> None:
    model = results / "train_path_star" / run.details["training"]["run_id"] / "artifacts" / "model"
    again = harness.run("path_star", *given(f"exp.checkpoint={model}", f"results_dir={tmp_path}"))
    assert not (tmp_path / "train_path_star").exists()
    assert again.metrics["exact_match"] == run.metrics["exact_match"]
    assert again.metrics["clever_hans/first_only"] is None


def test_the_trained_model_is_a_model_of_the_harness(run: StoredRun, results: Path) -> None:
    model = results / "train_path_star" / run.details["training"]["run_id"] / "artifacts" / "model"
    words = (f"model.name={model}", "exp.seq_len=4", "exp.n_sequences=4", "pools.unused=0:5", "pools.common=5:10")
    repeats = harness.run("repeat_tokens", *words, "tracker=none", f"results_dir={results}")
    assert "common/copy_gain" in repeats.metrics


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert run_command(["exp=path_star", *given(*words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["exp.graph=1x5"], "exp.graph: got '1x5', allowed: DxL"),
        (["exp.graph=2-5"], "exp.graph: got '2-5', allowed: DxL"),
        (["exp.n_values=4"], "exp.n_values: got 4, allowed: 5 or more"),
        (["exp.n_train=100000"], "exp.n_train, exp.n_held_out: 100060 different graphs are asked for"),
        (["exp.n_test=61"], "exp.n_test: got 61, allowed: up to n_held_out (60)"),
        (["exp.objective=telepathy"], "exp.objective: got 'telepathy'"),
        (["exp.d_model=15"], "exp.d_model: got 15, allowed: a multiple of n_heads (2)"),
        (["exp.pretrained=pocket"], "exp.pretrained: got 'pocket' with architecture=gpt2"),
        (["exp.architecture=pretrained"], "exp.pretrained: got None with architecture=pretrained"),
        (["exp.checkpoint=/nowhere"], "exp.checkpoint: got '/nowhere', allowed: a folder made by exp=train_path_star"),
        (["exp.train_file=/nowhere.txt"], "exp.train_file: got '/nowhere.txt', allowed: a file that can be read"),
        (["exp.activation=telepathy"], "exp.activation: got 'telepathy', allowed: one of relu"),
        (["exp.objective_settings.horizon=0"], "exp.objective_settings.horizon: got 0, allowed: 1 or more"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, *words, f"results_dir={tmp_path}")
    assert said in line
    assert not list(tmp_path.glob("*/*/manifest.json"))


def test_a_checkpoint_of_another_task_is_refused(
    run: StoredRun, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = results / "train_path_star" / run.details["training"]["run_id"] / "artifacts" / "model"
    asked = (f"exp.checkpoint={model}", f"results_dir={tmp_path}")
    assert "was trained with graph=2x3, and exp.graph=3x3 is asked" in refusal(capsys, "exp.graph=3x3", *asked)
    line = refusal(capsys, "exp.objective=reversed", *asked)
    assert "was trained with objective=teacher_forcing, and exp.objective=reversed is asked" in line
    assert "a checkpoint of the same task" in line


def test_a_malformed_line_is_named_by_its_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "graphs.txt"
    path.write_text("1,2|1,3|3,4|2,0/1,0=1,2,0\n1,2|1,3|3,4|2,0/1,0=1,2\n")
    line = refusal(capsys, f"exp.held_out_file={path}", f"results_dir={tmp_path}")
    assert f"{path}, line 2" in line


def test_the_authors_file_is_held_out_and_asked(shared_dir: Path, tmp_path: Path) -> None:
    path = shared_dir / "path_star" / "deg_2_path_5_nodes_50_test_20000.txt"
    words = ("exp.graph=2x5", "exp.n_values=50", f"exp.held_out_file={path}", "exp.n_steps=2", "exp.first_only_steps=0")
    run = harness.run("path_star", *given(*words, f"results_dir={tmp_path}"))
    assert run.details["n_test"] == 40
    # The file's first line ends 32,34,6,16,12: what the wrong arm's record holds is the other arm.
    assert run.records.loc[0, "wrong_arm"] == [32, 3, 19, 47, 28]


def test_a_pretrained_model_without_a_tokenizer_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("exp.architecture=pretrained", f"exp.pretrained={checkpoints['gpt2']}", f"results_dir={tmp_path}")
    assert "comes without a tokenizer" in refusal(capsys, *words)


def test_a_pretrained_model_with_too_short_a_window_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    from harness.models.identity import EMBEDDED_FOLDER

    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER)
    short = GPT2Config(vocab_size=len(tokenizer), n_positions=20, n_embd=8, n_layer=1, n_head=1)
    GPT2LMHeadModel(short).save_pretrained(tmp_path / "short")
    tokenizer.save_pretrained(tmp_path / "short")
    words = ("exp.architecture=pretrained", f"exp.pretrained={tmp_path / 'short'}", f"results_dir={tmp_path / 'out'}")
    assert "tokens, allowed: up to 20, the window of" in refusal(capsys, *words)


@pytest.mark.slow
def test_pocket_is_fine_tuned_on_the_task_as_text(tmp_path: Path) -> None:
    words = ("exp.architecture=pretrained", "exp.pretrained=pocket", "exp.n_steps=3", "exp.first_only_steps=0")
    run = harness.run("path_star", *given(*words, f"results_dir={tmp_path}"))
    assert run.metrics["position_1/teacher_forced"] is not None
    model = tmp_path / "train_path_star" / run.details["training"]["run_id"] / "artifacts" / "model"
    assert (model / "tokenizer.json").exists()
    assert json.loads((model / "path_star.json").read_text())["recipe"]["pretrained"] == "pocket"


PLANTED = '''
from harness.path_star.ways.token_by_token import TokenByToken
from harness.path_star.ways.way import Answers


class Planted(TokenByToken):
    """Reads the answer's nodes as one more number each, is charged for it, and counts answers that begin rightly."""

    name, label = "planted", "planted in a test"

    def inputs(self, batch):
        return batch.tokens.where(~batch.answers_ahead(0), (batch.tokens + 1) % self.codec.task.n_values)

    def added_loss(self, modules, trunk, batch):
        return trunk.hidden.square().mean()

    def generate(self, forward, rows, n_given=0):
        written = super().generate(forward, rows, n_given).tokens
        at = rows.prompt_length[0]
        return Answers(written, {"planted/first_right": written[:, at] == rows.tokens[:, at]})
'''


def test_a_new_way_of_answering_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.setattr(ways, "__path__", [*ways.__path__, str(tmp_path)])
    found = roster.find_all()
    assert [*roster.WAYS, "planted"] == list(found)
    monkeypatch.setitem(roster.WAYS, "planted", found["planted"])
    run = harness.run("path_star", *given("exp.objective=planted", f"results_dir={tmp_path / 'out'}"))
    assert run.metrics["planted/first_right"] == run.metrics["position_1/generated"]
    assert 0 <= run.metrics["planted/first_right/ci_low"] <= run.metrics["planted/first_right/ci_high"] <= 1
    assert run.metrics["clever_hans/given_first"] is not None
    trained = load_run(tmp_path / "out" / "train_path_star" / run.details["training"]["run_id"])
    assert trained.config["exp"]["objective"] == trained.details["objective"] == "planted"
    assert run.headline is not None and run.headline[0].label == "G(2,3) planted in a test"
