"""The search as a user runs it, on a model whose glitch tokens are written in a script."""

import numpy as np
import pytest
import torch

from experiments.find_glitch_tokens import display, figures, search, tables
from experiments.find_glitch_tokens.config import FindGlitchTokensConfig
from harness.errors import Rejected, RunFailed
from harness.glitch.detectors.wording_oracle import WordingOracle
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.runs.config.typed import to_dataclass
from tests.helpers.scripted_census import write_model
from tests.helpers.scripted_ladder import ladder_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]

BAD = frozenset(range(120, 197))
"""Fail every wording; their rows lie together."""
WORDINGS = ("glitchhunter", "glitchprober", "glitchminer", "benchmark", "echo_1", "echo_3", "echo_8", "echo_20")
SMALL = {"detector": "centred_cosine", "budget": 0.9, "unused_ids": (120, 121, 122), "n_calibration": 20}
FILES = ("metrics.json", "records.jsonl", "arrays.safetensors", "details.json", "headline.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("scripted"))


def script(monkeypatch, wrong=BAD):
    def load(identity, config):
        model = ladder_model(identity, config, dict.fromkeys(WORDINGS, wrong))
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(model.d_vocab, 16)) + 1.0
        rows[sorted(BAD)] = 4 + 0.5 * rng.normal(size=(len(BAD), 16))
        table = torch.nn.Embedding.from_pretrained(torch.tensor(rows, dtype=torch.float32))
        for name in ("get_input_embeddings", "get_output_embeddings"):
            monkeypatch.setattr(type(model.backend), name, lambda _: table, raising=False)
        return model

    monkeypatch.setattr(CausalModel, "load", load)


def find(folder, results, **exp):
    return execute(
        RunConfig(
            "find_glitch_tokens", to_dataclass(FindGlitchTokensConfig, {**SMALL, **exp}, "exp."),
            model=ModelConfig(name=str(folder), device="cpu"), pools={"common": tuple(range(65, 91))},
            results_dir=results, tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )  # fmt: skip


def test_the_list_is_the_scripted_one(folder, tmp_path, monkeypatch):
    script(monkeypatch)
    # The scripted model reads its prompts again at each token of an answer: few can be asked.
    monkeypatch.setattr(search, "_LEAST_ASKED", 8)
    run = find(folder, tmp_path)
    metrics, arrays = run.metrics, run.arrays
    listed = arrays["ids"][arrays["reported"] == 1]
    assert set(listed.tolist()) == BAD
    assert metrics["found"] == metrics["confirmed"] + metrics["predicted"] == len(BAD)
    assert metrics["tokens_asked"] == (arrays["asked_at"] >= 0).sum() == metrics["confirmed"] + metrics["passed"]
    assert metrics["spent"] <= 0.9 * metrics["full"]
    assert metrics["spent_share"] == pytest.approx(metrics["spent"] / metrics["full"])
    assert metrics["expected_missed"] < 0.02 * metrics["expected_total"]
    assert run.details["end"] == "few_missed"
    assert run.details["n_confirming"] > 0
    assert {one["family"] for one in run.details["wordings"]} == {"asked", "echoed"}
    verdicts = run.records.groupby("verdict")["id"].count().to_dict()
    assert verdicts.get("confirmed", 0) == metrics["confirmed"]
    assert verdicts.get("passed", 0) == metrics["passed"]
    assert verdicts.get("predicted", 0) == metrics["predicted"]
    assert (np.diff(arrays["step/spent"]) >= 0).all()
    assert arrays["step/confirmed"][-1] == metrics["confirmed"]

    table = tables.list_table(run)
    assert table["verdict"].tolist() == sorted(table["verdict"])
    assert set(table["id"]) == BAD
    assert "times shown in training" not in table, "it is not known of this model"
    assert tables.price_table(run)["step"].tolist()[-1] == "confirmation"
    assert figures.draw_price(run) is not None
    assert figures.draw_probability(run) is not None
    (row,) = display.headline(run)
    assert row.values["glitch tokens found"].startswith(f"{len(BAD)} ({metrics['confirmed']} confirmed")


def test_interrupted_and_continued_it_ends_with_the_same_bytes(folder, tmp_path, monkeypatch):
    script(monkeypatch)
    whole = find(folder, tmp_path / "whole")
    original, asked, calls = WordingOracle._answer, [], []

    def stops_at_the_third(self, ids):
        calls.append(len(ids))
        if len(calls) == 3:
            raise KeyboardInterrupt
        asked.extend(ids)
        return original(self, ids)

    monkeypatch.setattr(WordingOracle, "_answer", stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        find(folder, tmp_path / "cut")
    continued = find(folder, tmp_path / "cut")
    for name in FILES:
        assert (continued.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert len(asked) == len(set(asked)) == whole.metrics["tokens_asked"], "nothing was asked twice"


def test_where_no_wording_counts_nothing_is_said(folder, tmp_path, monkeypatch):
    script(monkeypatch, True)
    run = find(folder, tmp_path)
    assert run.metrics["found"] is run.metrics["expected_missed"] is run.metrics["spent_share"] is None
    assert run.metrics["wordings"] == 0
    assert any("nothing can be said" in note for note in run.notes)
    assert set(run.arrays) == {"ids"}
    assert tables.list_table(run) is tables.price_table(run) is None
    assert figures.draw_price(run) is figures.draw_probability(run) is None
    (row,) = display.headline(run)
    assert "no asked or echoed wording counts" in row.values["glitch tokens found"]


def test_a_budget_that_pays_for_nothing_is_said_to(folder, tmp_path, monkeypatch):
    script(monkeypatch)
    run = find(folder, tmp_path, budget=0.001)
    assert run.metrics["tokens_asked"] == run.metrics["spent"] == 0
    assert run.metrics["missed_share"] is None
    assert any("pays for no query" in note for note in run.notes)


def test_settings_reach_the_search(folder, tmp_path, monkeypatch):
    script(monkeypatch)
    run = find(folder, tmp_path, missed_below=None, confirm=False, budget=0.5, n_tokens=200)
    assert run.metrics["tokens"] == 200
    assert run.details["end"] == "budget"
    assert run.details["n_confirming"] == 0
    assert run.metrics["predicted"] > 0
    assert 0.25 < run.metrics["spent_share"] <= 0.5


def test_what_cannot_work_is_refused(folder, tmp_path, monkeypatch):
    script(monkeypatch)
    for exp, message in (
        ({"detector": "telepathy"}, r"exp\.detector: got 'telepathy', allowed: one of kmeans"),
        ({"budget": 0.0}, r"exp\.budget"),
        ({"missed_below": 1.5}, r"exp\.missed_below"),
        ({"unused_ids": (9999,)}, r"exp\.unused_ids"),
    ):
        with pytest.raises(Rejected, match=message):
            find(folder, tmp_path, **exp)
    with pytest.raises(RunFailed, match=r"exp\.detector: input_norm can't be run on this model: .* no such ind"):
        find(folder, tmp_path, detector="input_norm")
