"""An audit of a model whose failures are planted: each reason finds its tokens, the gate shuts, revisions compare."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch

from experiments.audit.config import AuditConfig
from harness.errors import Rejected
from harness.measure.intervals import wilson
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs import registry
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.runs.config.typed import to_dataclass
from harness.tokens.prompts import Task
from tests.helpers.scripted_census import EXTRA_ROWS, scripted_model, write_model

pytestmark = pytest.mark.integration

CAP, ON, TAB = 260, 261, 197
HERE = {Task.REPETITION: {CAP: " 'CAPABLE'", 200: " <b>sorry</b>", ON: " 'off'"}}
THERE = {Task.REPETITION: {200: " no", 65: " 'zz'"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("audit") / "tiny")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another revision: the same tokenizer, other weights."""
    import transformers as tf

    folder = write_model(tmp_path_factory.mktemp("audit") / "before")
    tf.utils.logging.disable_progress_bar()
    model = tf.AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.get_input_embeddings().weight[5] += 1
    model.save_pretrained(folder)
    return folder


def scripted(identity, config):
    """The scripted answers, with the embedding that the weights have."""
    real = _LOAD(identity, config)
    rows = real.unembedding().detach().float()
    model = scripted_model(identity, config, THERE if "before" in str(identity.path) else HERE)
    model.backend.head = torch.nn.Linear(rows.shape[1], rows.shape[0], bias=False)
    model.backend.head.weight.data = rows
    model.backend.get_input_embeddings = lambda: model.backend.head
    return model


_LOAD = CausalModel.load


def config(folder, results, name="audit", **exp):
    return RunConfig(
        exp_name=name,
        exp=registry.load(name).config(**exp),
        model=ModelConfig(name=str(folder), device="cpu"),
        pools={"common": tuple(range(66, 91))},
        results_dir=results,
        tracker=TrackerConfig(kind=TrackerKind.NONE),
    )


@pytest.fixture
def audited(monkeypatch, folder, results):
    monkeypatch.setattr(CausalModel, "load", scripted)
    return lambda **exp: execute(config(folder, results, **exp))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One results folder for all: the parts are computed once."""
    return tmp_path_factory.mktemp("audits")


class TestList:
    def test_reasons(self, audited):
        run = audited()
        records = run.records.set_index("id")
        assert len(records) == run.metrics["ids"] == 269
        assert [i for i in records.index if "glitch" in records.loc[i, "reasons"]] == [200, CAP, ON]
        assert [i for i in records.index if "no_token" in records.loc[i, "reasons"]] == [267, 268][:EXTRA_ROWS]
        assert run.metrics["reason/glitch"] == run.metrics["glitch_tokens"] == 3
        assert run.metrics["glitch_rate"] == pytest.approx(3 / run.metrics["tested"])
        assert run.manifest["exit_code"] == 0 and run.metrics["gate/passed"] is None
        assert records.loc[CAP, "indicator"] == pytest.approx(run.arrays["indicator"][CAP])
        assert sorted(records["indicator_rank"]) == list(range(1, 270))

    def test_only_what_text_leads_to_is_reachable(self, audited):
        run = audited()
        records = run.records.set_index("id")
        assert records.loc[[TAB, 65, CAP, ON], "is_reachable"].all()
        assert not records.loc[[177, 266, 267], "is_reachable"].any()
        reachable = records[records["is_reachable"]]
        failed = int((reachable["glitch"] == True).sum())  # noqa: E712
        assert run.metrics["glitch_rate_reachable"] == pytest.approx(wilson(failed, len(reachable)).mean)

    def test_parts_are_runs_of_their_own_and_used_again(self, audited, results):
        run = audited()
        for name, run_id in run.details["parts"].items():
            assert (results / name / run_id / "metrics.json").is_file()
        before = {path: path.stat().st_mtime_ns for path in results.glob("*/*/metrics.json")}
        audited(max_glitch_rate=0.5)
        assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
        census = execute(config(Path(run.config["model"]["name"]), results, "census"))
        assert census.run_id == run.details["parts"]["census"]

    def test_the_list_is_a_csv_sorted_by_what_matters(self, audited):
        run = audited()
        rows = list(csv.DictReader((run.folder / "tables" / "tokens.csv").open(encoding="utf-8")))
        assert {int(row["id"]) for row in rows[:2]} == {CAP, ON}
        assert len(rows) == run.metrics["listed"]
        (cap,) = [row for row in rows if row["id"] == str(CAP)]
        assert cap["fails"] == "all 8 that count"
        assert cap["symptom"] == "spelling mistake"
        for name in ("figures/reasons.png", "figures/indicator.png", "tables/tokens.tex", "report.html"):
            assert (run.folder / name).is_file()

    def test_no_token_becomes_markup(self, audited):
        run = audited()
        page = (run.folder / "report.html").read_text(encoding="utf-8")
        assert "<b>sorry" not in page
        latex = (run.folder / "tables" / "tokens.tex").read_text(encoding="utf-8")
        assert all(latex.isprintable() or sign == "\n" for sign in latex if ord(sign) < 32)


class TestGate:
    def test_exceeded(self, audited):
        run = audited(max_glitch_rate=0.001)
        assert run.manifest["exit_code"] == 3
        assert run.status == "complete"
        assert run.metrics["gate/passed"] == 0
        assert any(note.startswith("Gate exceeded: 3 of") for note in run.notes)
        assert audited(max_glitch_rate=0.001).manifest["exit_code"] == 3  # asked again, not computed again

    @pytest.mark.slow
    def test_at_the_limit_it_is_passed(self, audited):
        rate = audited().metrics["glitch_rate"]
        assert audited(max_glitch_rate=rate).manifest["exit_code"] == 0
        assert audited(max_glitch_rate=math.nextafter(rate, 0)).manifest["exit_code"] == 3

    @pytest.mark.slow
    def test_the_command_ends_with_3(self, audited, folder, results, capsys):
        from harness.cli import run_command

        words = ["exp=audit", f"model.name={folder}", "model.device=cpu", f"results_dir={results}", "tracker=none"]
        pools = ["pools.common=66:91", "pools.unused=byte_unused"]
        assert run_command([*words, *pools, "exp.max_glitch_rate=0.001"]) == 3
        assert "exit code 3" in capsys.readouterr().out

    @pytest.mark.slow
    def test_a_model_of_which_nothing_is_known_does_not_pass(self, folder, tmp_path):
        run = execute(config(folder, tmp_path, max_glitch_rate=0.5))
        assert run.manifest["exit_code"] == 3
        assert run.metrics["glitch_rate"] is None
        assert any(note.startswith("Gate shut") for note in run.notes)
        assert any("Nothing can be said about this model's tokens" in note for note in run.notes)

    @pytest.mark.parametrize("rate", [-0.1, 1.5])
    def test_no_share(self, rate):
        with pytest.raises(Rejected, match=r"exp\.max_glitch_rate"):
            to_dataclass(AuditConfig, {"max_glitch_rate": rate}, "exp.")


class TestRevisions:
    def test_what_became_and_what_was_repaired(self, audited, other):
        run = audited(compare_to=str(other))
        changes = run.records[run.records["change"].notna()].set_index("id")["change"].to_dict()
        assert changes == {CAP: "became_glitch", ON: "became_glitch", 65: "repaired"}
        metrics = run.metrics
        assert (metrics["compare/became_glitch"], metrics["compare/repaired"], metrics["compare/glitch_in_both"]) == (
            2,
            1,
            1,
        )
        n = metrics["compare/tokens"]
        assert metrics["compare/difference"] == pytest.approx(1 / n)
        assert metrics["compare/difference/ci_low"] < 0 < metrics["compare/difference/ci_high"]
        rows = list(csv.DictReader((run.folder / "tables" / "changes.csv").open(encoding="utf-8")))
        assert [row["change"] for row in rows] == ["became a glitch token"] * 2 + ["repaired"]
        assert (run.folder / "figures" / "revisions.png").is_file()

    @pytest.mark.slow
    def test_a_finished_run_says_the_same_as_its_model(self, audited, other, results):
        by_model = audited(compare_to=str(other))
        census = next(path.parent for path in results.glob("census/before-*/manifest.json"))
        of_census = audited(compare_to=str(census))
        audit = execute(config(other, results))
        of_audit = audited(compare_to=str(audit.folder))
        for run in (of_census, of_audit):
            for name, value in by_model.metrics.items():
                assert run.metrics[name] == value, name

    @pytest.mark.slow
    def test_against_itself_nothing_changed(self, audited, folder):
        run = audited(compare_to=str(folder))
        assert run.metrics["compare/difference"] == 0
        assert any("No token changed its verdict" in note for note in run.notes)

    @pytest.mark.slow
    def test_other_weights_under_the_same_name_are_another_run(self, audited, other, tmp_path):
        import shutil

        shutil.copytree(other, tmp_path / "before")
        first = audited(compare_to=str(tmp_path / "before"))
        path = tmp_path / "before" / "config.json"
        path.write_text(path.read_text() + "\n")
        assert audited(compare_to=str(tmp_path / "before")).run_id != first.run_id

    @pytest.mark.parametrize(
        ("what", "problem"), [("./nowhere", r"exp\.compare_to: got"), ("undertrained", "run of undertrained")]
    )
    def test_refusals(self, audited, results, what, problem):
        if what == "undertrained":
            what = str(results / "undertrained" / audited().details["parts"]["undertrained"])
        with pytest.raises(Rejected, match=problem):
            audited(compare_to=what)

    def test_another_version_of_a_prompt_is_refused(self, audited, results, tmp_path):
        import shutil

        source = results / "census" / audited().details["parts"]["census"]
        shutil.copytree(source, tmp_path / "old")
        details = json.loads((tmp_path / "old" / "details.json").read_text(encoding="utf-8"))
        details["questions"]["echo_3"]["version"] = "0"
        (tmp_path / "old" / "details.json").write_text(json.dumps(details), encoding="utf-8")
        with pytest.raises(Rejected, match="version 0 of echo_3"):
            audited(compare_to=str(tmp_path / "old"))
