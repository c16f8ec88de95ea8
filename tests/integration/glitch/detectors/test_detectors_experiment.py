"""The whole comparison on a model whose glitch tokens are written in a script."""

import importlib
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from experiments.detectors import figures, tables
from harness.errors import Rejected
from harness.glitch.detectors import roster
from harness.glitch.detectors.active_census import ActiveCensus, ActiveCensusOfVerdicts
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.kmeans import KMeansCentroids
from harness.glitch.detectors.ledger import Ledger
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs.config.compose import compose_run
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.runs.config.typed import to_dataclass
from harness.tokens.prompts import Task
from tests.helpers.scripted_census import scripted_model, write_model

pytestmark = pytest.mark.integration

BAD = list(range(120, 197))
"""Fail repetition; their rows lie together, near those of bytes that no text holds."""
WRONG = {Task.REPETITION: dict.fromkeys(BAD, " no idea")}
POOLS = {"unused": "byte_unused", "common": tuple(range(65, 91))}
NAMES = roster.names()
FROM_WEIGHTS = tuple(name for name in NAMES if name not in ("glitchminer", "glitchprober", "input_norm"))
"""The script has no passes to measure, and the model is tied."""
BUDGETS = (0.05, 0.2)
FEW_TREES = {"n_trees": 5, "growth": 1.0, "n_components": 4}
SMALL = {
    "detectors": FROM_WEIGHTS,
    "n_seeds": 2,
    "budgets": BUDGETS,
    "active_census": ActiveCensus(**FEW_TREES),
    "active_census_verdicts": ActiveCensusOfVerdicts(**FEW_TREES),
    "glitchhunter": GlitchHunter(k=10, resolution=1.0, scale_resolution=False, n_components=8),
    "kmeans": KMeansCentroids(n_clusters=5),
    "unused_ids": (120, 121, 122),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("scripted"))


def script(monkeypatch, wrong=WRONG):
    def load(identity, config):
        model = scripted_model(identity, config, wrong)
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(model.d_vocab, 16)) + 1.0
        rows[BAD] = 4 + 0.5 * rng.normal(size=(len(BAD), 16))
        table = torch.nn.Embedding.from_pretrained(torch.tensor(rows, dtype=torch.float32))
        for name in ("get_input_embeddings", "get_output_embeddings"):
            monkeypatch.setattr(type(model.backend), name, lambda _: table, raising=False)
        return model

    monkeypatch.setattr(CausalModel, "load", load)


def compare(folder, results, force=False, **exp):
    from experiments.detectors.config import DetectorsConfig

    return execute(
        RunConfig(
            "detectors", to_dataclass(DetectorsConfig, {**SMALL, **exp}, "exp."),
            model=ModelConfig(name=str(folder), device="cpu"),
            pools=POOLS, results_dir=results, tracker=TrackerConfig(kind=TrackerKind.NONE), force=force,
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def compared(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        script(monkeypatch)
        return compare(folder, tmp_path_factory.mktemp("compared"))


def n_runs(name):
    (kind,) = (kind for kind in roster.DETECTORS if kind.name == name)
    return 2 if kind.is_random else 1


class TestNumbers:
    def test_the_truth_is_the_scripted_one(self, compared):
        glitch = compared.arrays["ids"][compared.arrays["glitch"] == 1]
        assert sorted(glitch.tolist()) == BAD
        assert compared.metrics["truth/tested"] == 268
        assert compared.metrics["truth/glitch_tokens"] == compared.metrics["truth/query_fails"] == len(BAD)
        assert compared.metrics["truth/query_precision"] == 1.0
        assert compared.metrics["truth/glitch_rate"] == pytest.approx(len(BAD) / 268)
        assert "glitchhunter" in compared.details["truth"]["wordings"]
        assert set(compared.details["truth"]["families"]) == {"asked", "echoed"}
        assert not any("copied" in name for name in compared.details["truth"]["calibration"]), "copying takes no part"

    def test_a_budget_is_a_share_of_asking_every_token_once(self, compared):
        full = compared.metrics["price/every_token_once"]
        assert full == round(268 * compared.metrics["price/usual"]) == compared.details["full"]
        positions = compared.arrays["query_positions"]
        assert compared.metrics["price/usual"] < compared.metrics["price/most"] == positions.max()
        assert (positions[compared.arrays["glitch"] == 1] == positions.max()).all(), "failing takes both wordings"
        for name in FROM_WEIGHTS:
            asked = compared.arrays[f"{name}/asked"]
            assert asked.shape == (n_runs(name), len(BUDGETS), 268)
            spent = asked @ positions
            assert (spent <= [int(share * full) for share in BUDGETS]).all()
            for number, share in enumerate(BUDGETS):
                key = f"{name}/at_{100 * share:g}"
                assert compared.metrics[f"{key}/spent"] == pytest.approx(spent[:, number].mean())
                assert compared.metrics[f"{key}/spent_share"] == pytest.approx(spent[:, number].mean() / full)

    def test_scores_follow_from_what_was_reported(self, compared):
        glitch = compared.arrays["glitch"] == 1
        for name in FROM_WEIGHTS:
            for number, key in enumerate(("at_5", "at_20")):
                reported = compared.arrays[f"{name}/predicted"][:, number] == 1
                recalls = [(row & glitch).sum() / glitch.sum() for row in reported]
                assert compared.metrics[f"{name}/{key}/recall"] == pytest.approx(np.mean(recalls))
                confirmed = [(row & glitch).sum() for row in compared.arrays[f"{name}/asked"][:, number] == 1]
                assert compared.metrics[f"{name}/{key}/confirmed"] == pytest.approx(np.mean(confirmed))

    def test_what_is_not_random_runs_once_and_has_no_interval(self, compared):
        for name in FROM_WEIGHTS:
            low, high = (compared.metrics[f"{name}/at_20/f1/ci_{end}"] for end in ("low", "high"))
            assert compared.details["n_seeds"][name] == n_runs(name)
            if n_runs(name) == 1:
                assert low is None
                assert high is None
            else:
                assert 0 <= low <= compared.metrics[f"{name}/at_20/f1"] <= high <= 1
        assert n_runs("magikarp") == 1

    def test_the_planted_rows_are_found_by_who_looks_for_them(self, compared):
        assert compared.metrics["active_census/at_20/f1"] > 0.95
        assert compared.metrics["active_census_verdicts/at_20/f1"] > 0.95
        assert compared.metrics["cosine/at_20/f1"] > 0.9
        assert compared.metrics["magikarp/at_20/confirmed_precision"] == 1.0
        assert compared.metrics["magikarp/at_20/confirmed_recall"] > compared.metrics["random/at_20/confirmed_recall"]
        assert compared.metrics["indicator/cosine/roc_auc"] > 0.9

    def test_leads_are_over_the_best_other(self, compared):
        for key in ("at_5", "at_20"):
            others = {name: compared.metrics[f"{name}/{key}/f1"] for name in FROM_WEIGHTS if "active" not in name}
            best = compared.metrics[f"best_other/{key}"]
            assert others[best] == max(others.values()) == compared.metrics[f"best_other/{key}/f1"]
            lead = compared.metrics[f"active_census/{key}/f1"] - others[best]
            assert compared.metrics[f"active_census/{key}/f1_lead"] == pytest.approx(lead)

    def test_hunters_run_to_their_end_with_several_settings(self, compared):
        whole = compared.details["whole"]
        assert whole[0] == "glitchhunter"
        assert len(whole) == 7
        for name in whole:
            assert name.split(":")[0] == "glitchhunter"
            assert compared.metrics[f"whole/{name}/precision"] == 1.0, "it reports what it asked"
            assert compared.metrics[f"whole/{name}/spent_share"] > 0.2
        asked = {name: compared.metrics[f"whole/{name}/asked"] for name in whole}
        assert len(set(asked.values())) > 1, "these settings make a difference"

    def test_a_record_for_each_detector_seed_and_budget(self, compared):
        items = [
            f"{name}/{seed}/{number}" for name in FROM_WEIGHTS for seed in range(n_runs(name)) for number in (0, 1)
        ]
        whole = [f"{name}/{seed}/whole" for name in compared.details["whole"] for seed in range(2)]
        assert compared.records["item"].tolist() == items + whole
        bounded = compared.records[compared.records["budget"].notna()]
        assert len(bounded) == len(items)
        assert (bounded["spent"] <= bounded["budget"]).all()

    def test_everything_is_drawn_and_every_metric_is_there(self, compared):
        assert {"f1", "leads", "promises", "roc"} <= set(compared.figures)
        for name in FROM_WEIGHTS:
            for key in (*tables.PREDICTED, *tables.CONFIRMED):
                for share in ("at_5", "at_20"):
                    assert f"{name}/{share}/{key}" in compared.metrics
        assert "active_census" in (compared.folder / "report.html").read_text()
        for table in ("f1", "leads", "predicted", "confirmed", "whole", "published", "indicators", "promises"):
            assert (compared.folder / "tables" / f"{table}.csv").is_file()
        assert len(tables.f1_table(compared)) == len(FROM_WEIGHTS)
        assert len(tables.predicted_table(compared)) == len(tables.confirmed_table(compared)) == 2 * len(FROM_WEIGHTS)

    def test_published_controls_and_ours_are_told_apart(self, compared):
        kinds = dict(zip(*(tables.f1_table(compared)[column] for column in ("detector", "kind")), strict=True))
        assert kinds["active_census_verdicts"] == "ours"
        assert kinds["glitchhunter"] == "published"
        assert kinds["random"] == kinds["cosine"] == kinds["logistic_indicators"] == "control"
        assert set(tables.published_table(compared)["detector"]) == {"glitchhunter", "rule_random"}


def test_an_interrupted_run_goes_on_to_the_same_bytes(folder, compared, tmp_path, monkeypatch):
    script(monkeypatch)
    calls = {"n": 0}
    whole = ActiveCensus.detect

    def dies(self, *args):
        calls["n"] += 1
        if calls["n"] == 2:
            raise KeyboardInterrupt
        return whole(self, *args)

    with monkeypatch.context() as during:
        during.setattr(ActiveCensus, "detect", dies)
        with pytest.raises(KeyboardInterrupt):
            compare(folder, tmp_path)
    again = compare(folder, tmp_path)
    assert again.manifest["resumed"] == 1
    for name in ("metrics.json", "arrays.safetensors", "records.jsonl", "details.json"):
        assert (again.folder / name).read_bytes() == (compared.folder / name).read_bytes()


def test_a_sample_of_the_vocabulary_and_other_seeds(folder, tmp_path, monkeypatch):
    script(monkeypatch)
    run = compare(folder, tmp_path, detectors=("random", "magikarp"), n_tokens=100, without_budget=False)
    assert len(run.arrays["ids"]) == run.metrics["truth/tested"] == 100
    assert run.details["is_sample"]
    assert run.details["whole"] == []
    assert set(run.arrays["ids"][run.arrays["glitch"] == 1].tolist()) <= set(BAD)
    first, second = run.arrays["random/asked"][:, -1]
    assert first.tolist() != second.tolist()


def test_what_cannot_be_run_is_left_out_with_its_reason(folder, tmp_path, monkeypatch):
    script(monkeypatch)
    run = compare(folder, tmp_path, detectors=("input_norm", "random"), n_tokens=60)
    assert run.details["skipped"] == {"input_norm": "the model has no such indicator"}
    assert run.details["detectors"] == ["random"]
    assert any(note.startswith("input_norm was left out") for note in run.notes)
    assert not any(name.startswith("input_norm/") for name in run.metrics)


def test_no_glitch_token_is_a_plain_sentence(folder, tmp_path, monkeypatch):
    script(monkeypatch, {})
    run = compare(folder, tmp_path, n_seeds=1, sensitivity=False)
    assert run.details["whole"] == ["glitchhunter"]
    assert run.metrics["truth/glitch_tokens"] == 0
    assert run.metrics["truth/query_precision"] is None
    for name in FROM_WEIGHTS:
        assert run.metrics[f"{name}/at_20/recall"] is None
        assert run.metrics[f"{name}/at_20/f1"] is None
        assert run.metrics[f"{name}/at_20/confirmed"] == 0
    assert not any(name.startswith("best_other") for name in run.metrics)
    assert any("No glitch tokens" in note for note in run.notes)


def test_a_model_without_a_wording_is_said_to_be_uninformative(folder, tmp_path, monkeypatch):
    script(monkeypatch, {Task.REPETITION: dict.fromkeys(range(268), " no idea")})
    run = compare(folder, tmp_path)
    assert run.metrics["truth/tested"] == 0
    assert run.metrics["truth/glitch_tokens"] is None
    assert run.details["detectors"] == []
    assert "glitch" not in run.arrays
    assert any("No asked or echoed wording counts" in note for note in run.notes)


@dataclass(frozen=True)
class Lookup(Detector):
    """Asks the tokens from some id on."""

    name = "lookup"
    is_ours = True
    is_random = False
    first: int = 0

    def reports(self, view, open_oracle, budgets, seed):
        """As `Detector.reports`."""
        for budget in budgets:
            ledger = Ledger(view, open_oracle(), budget)
            ledger.query_what_fits(view.ids[view.ids >= self.first].tolist())
            yield ledger.report_scores(-view.ids.astype(float))


@pytest.fixture
def with_lookup(monkeypatch):
    """A roster with one more line."""
    from experiments.detectors import config

    with monkeypatch.context() as during:
        during.setattr(roster, "DETECTORS", (*roster.DETECTORS, Lookup))
        yield importlib.reload(config)
    importlib.reload(config)


def test_a_detector_is_a_class_and_a_line_of_the_roster(folder, tmp_path, monkeypatch, with_lookup):
    script(monkeypatch)
    assert with_lookup.DetectorsConfig().detectors == (*NAMES, "lookup")
    run = compare(folder, tmp_path, detectors=("random", "lookup"), lookup=Lookup(first=BAD[0]))
    assert run.metrics["lookup/at_20/confirmed_precision"] == 1.0
    assert run.metrics["lookup/at_20/confirmed"] > run.metrics["random/at_20/confirmed"]
    assert run.config["exp"]["lookup"] == {"first": BAD[0]}
    assert run.details["detectors"] == ["random", "lookup"]
    assert "lookup/probability" in run.arrays
    assert run.records["detector"].tolist() == ["random"] * 4 + ["lookup"] * 2
    assert tables.f1_table(run)["detector"].tolist() == ["random", "lookup"]
    assert "lead of lookup" in tables.lead_table(run)
    assert len(tables.mistakes_table(run)), "it is one of ours: its mistakes are listed"
    for draw in (figures.draw_f1, figures.draw_leads, figures.draw_promises):
        assert "lookup" in draw(run).axes[0].get_legend_handles_labels()[1]
    assert "lookup" in (run.folder / "tables" / "f1.csv").read_text()


def test_settings_of_a_planted_detector_come_from_the_command_line(with_lookup):
    asked = compose_run(["exp=detectors", "exp.detectors=[lookup]", "exp.lookup.first=7"])
    assert roster.make_detector("lookup", asked.exp) == Lookup(first=7)
    with pytest.raises(Rejected, match=r"exp\.lookup\.last: no such key"):
        compose_run(["exp=detectors", "exp.lookup.last=7"])


@pytest.mark.parametrize(
    ("exp", "message"),
    [
        ({"detectors": ("magic",)}, "exp.detectors"),
        ({"detectors": ()}, "exp.detectors"),
        ({"budgets": (0.0,)}, "exp.budgets"),
        ({"budgets": (0.2, 0.1)}, "exp.budgets"),
        ({"budgets": (0.5, 1.5)}, "exp.budgets"),
        ({"budgets": ()}, "exp.budgets"),
        ({"n_seeds": 0}, "exp.n_seeds"),
        ({"unused_ids": (10_000,)}, "exp.unused_ids"),
    ],
)
def test_what_cannot_work_is_refused(folder, tmp_path, exp, message):
    with pytest.raises(Rejected, match=message):
        compare(folder, tmp_path, **exp)
