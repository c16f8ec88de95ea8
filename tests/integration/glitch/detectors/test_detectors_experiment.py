"""The whole comparison on a model whose glitch tokens are written in a script."""

import importlib
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from experiments.detectors import figures, tables
from harness.errors import Rejected
from harness.glitch.detectors import roster
from harness.glitch.detectors.active_census import ActiveCensus
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
FROM_WEIGHTS = tuple(name for name in NAMES if name not in ("glitchminer", "glitchprober"))
SMALL = {
    "detectors": FROM_WEIGHTS,
    "n_seeds": 2,
    "budget_share": 0.2,
    "active_census": ActiveCensus(n_rounds=2),
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


class TestNumbers:
    def test_the_truth_is_the_scripted_one(self, compared):
        glitch = compared.arrays["ids"][compared.arrays["glitch"] == 1]
        assert sorted(glitch.tolist()) == BAD
        assert compared.metrics["census/tested"] == 268
        assert compared.metrics["census/glitch_tokens"] == len(BAD)
        assert compared.metrics["census/glitch_rate"] == pytest.approx(len(BAD) / 268)
        assert compared.metrics["recall_ceiling_at_10pct"] == pytest.approx(26 / len(BAD))
        assert compared.details["truth"]["source"] == "census taken in this run"
        assert compared.details["price"] == 1
        assert "glitchhunter" in compared.details["truth"]["wordings"]

    def test_scores_follow_from_what_was_reported(self, compared):
        glitch = compared.arrays["glitch"] == 1
        for name in FROM_WEIGHTS:
            reported = compared.arrays[f"{name}/predicted"] == 1
            recalls = [(row & glitch).sum() / glitch.sum() for row in reported]
            assert compared.metrics[f"{name}/recall"] == pytest.approx(np.mean(recalls))
            assert compared.metrics[f"{name}/queries_fraction"] <= 0.2
            assert compared.metrics[f"{name}/budget_fraction"] <= 0.2
            low, high = (compared.metrics[f"{name}/recall/ci_{end}"] for end in ("low", "high"))
            assert 0 <= low <= compared.metrics[f"{name}/recall"] <= high <= 1

    def test_the_planted_rows_are_found_by_who_looks_for_them(self, compared):
        assert compared.metrics["active_census/f1"] > 0.95
        assert compared.metrics["magikarp/precision"] == 1.0
        assert compared.metrics["magikarp/recall"] > compared.metrics["random/recall"]
        assert compared.metrics["indicator/cosine/roc_auc"] > 0.9
        assert compared.metrics["magikarp/recall_auc"] > 0.95

    def test_a_record_for_each_detector_and_seed(self, compared):
        items = [f"{name}/{seed}" for name in FROM_WEIGHTS for seed in (0, 1)]
        assert compared.records["item"].tolist() == items
        assert (compared.records["queries"] <= int(0.2 * 268)).all()

    def test_everything_is_drawn_and_every_metric_is_there(self, compared):
        assert {"recall_queries", "quality", "roc"} <= set(compared.figures)
        for name in NAMES:
            for key in ("precision", "recall", "f1", "queries_fraction", "recall_at_10pct", "recall_auc", "roc_auc"):
                assert f"{name}/{key}" in compared.metrics
        assert "active_census" in (compared.folder / "report.html").read_text()
        assert (compared.folder / "tables" / "detectors.csv").is_file()


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


def test_a_finished_census_is_used_and_another_models_refused(folder, tmp_path, monkeypatch):
    from experiments.census.config import CensusConfig

    script(monkeypatch)
    census = execute(
        RunConfig(
            "census", CensusConfig(), model=ModelConfig(name=str(folder), device="cpu"), pools=POOLS,
            results_dir=tmp_path, tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )  # fmt: skip
    run = compare(folder, tmp_path, detectors=("random",))
    assert run.details["truth"]["source"] == f"census {census.run_id}"
    assert run.metrics["census/glitch_tokens"] == len(BAD)
    manifest = json.loads((census.folder / "manifest.json").read_text())
    manifest["model"]["weights_sha256"] = "0" * 64
    (census.folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Rejected, match="census"):
        compare(folder, tmp_path, detectors=("random",), census=census.folder, force=True)


def test_no_glitch_token_is_a_plain_sentence(folder, tmp_path, monkeypatch):
    script(monkeypatch, {})
    run = compare(folder, tmp_path)
    assert run.metrics["census/glitch_tokens"] == 0
    assert run.metrics["recall_ceiling_at_10pct"] is None
    for name in FROM_WEIGHTS:
        assert run.metrics[f"{name}/recall"] is None
        assert run.metrics[f"{name}/f1"] is None
    assert any("No glitch tokens" in note for note in run.notes)


def test_a_model_without_a_wording_is_said_to_be_uninformative(folder, tmp_path, monkeypatch):
    script(monkeypatch, {Task.REPETITION: dict.fromkeys(range(268), " no idea")})
    run = compare(folder, tmp_path)
    assert run.metrics["census/tested"] == 0
    assert run.metrics["census/glitch_tokens"] is None
    assert run.metrics["random/f1"] is None
    assert any("fewer than two families" in note for note in run.notes)


@dataclass(frozen=True)
class Lookup(Detector):
    """Asks the tokens from some id on."""

    name = "lookup"
    is_ours = True
    scores_unqueried = True
    first: int = 0

    def detect(self, view, oracle, budget, seed):
        """As `Detector.detect`."""
        ledger = Ledger(view, oracle, budget)
        ledger.query_what_fits(view.ids[view.ids >= self.first].tolist())
        return ledger.result(-view.ids.astype(float))


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
    assert run.metrics["lookup/precision"] == 1.0
    assert run.metrics["lookup/recall"] > run.metrics["random/recall"]
    assert run.config["exp"]["lookup"] == {"first": BAD[0]}
    assert run.details["detectors"] == ["random", "lookup"]
    assert "lookup/roc/census" in run.arrays
    assert run.records["detector"].tolist() == ["random", "random", "lookup", "lookup"]
    assert tables.detectors_table(run)["detector"].tolist() == ["random", "lookup"]
    assert len(tables.mistakes_table(run)), "it is one of ours: its mistakes are listed"
    drawn = {
        "quality": [text.get_text() for text in figures.draw_quality(run).axes[0].get_yticklabels()],
        "recall": figures.draw_recall(run).axes[0].get_legend_handles_labels()[1],
        "roc": figures.draw_roc(run).axes[0].get_legend_handles_labels()[1],
    }
    assert all("lookup" in labels for labels in drawn.values())
    assert "lookup" in (run.folder / "tables" / "detectors.csv").read_text()


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
        ({"budget_share": 0.0}, "exp.budget_share"),
        ({"n_seeds": 0}, "exp.n_seeds"),
        ({"unused_ids": (10_000,)}, "exp.unused_ids"),
    ],
)
def test_what_cannot_work_is_refused(folder, tmp_path, exp, message):
    with pytest.raises(Rejected, match=message):
        compare(folder, tmp_path, **exp)
