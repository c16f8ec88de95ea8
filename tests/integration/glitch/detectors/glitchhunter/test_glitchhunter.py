"""A hunt on a model whose glitch tokens are known beforehand and lie together in its embedding."""

import numpy as np
import pytest
import torch

from harness.errors import Rejected, RunFailed
from harness.glitch.detectors.kept_oracle import KeptOracle
from harness.glitch.detectors.live_oracle import LiveOracle
from harness.glitch.detectors.oracle import TableOracle
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.runs.config.typed import to_dataclass
from harness.runs.folder import RunFolder, ShardStore
from harness.tokens.prompts import Task
from tests.helpers.scripted_census import scripted_model, write_model

pytestmark = pytest.mark.integration

BAD = list(range(100, 140))
"""Fail repetition; two embedding directions of their own."""
WRONG = {Task.REPETITION: dict.fromkeys(BAD, " no idea")}
N_TOKENS = 268
POOLS = {"unused": "byte_unused", "common": tuple(range(65, 91))}
SMALL = {"k": 10, "resolution": 1.0, "scale_resolution": False, "n_components": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("scripted"))


def embedding(d_vocab: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, 16)) * 4
    rows = centres[rng.integers(0, 8, d_vocab)] + rng.normal(size=(d_vocab, 16))
    rows[BAD] = 12 + rng.normal(size=(len(BAD), 16))
    return torch.tensor(rows, dtype=torch.float32)


def config_of(name, exp, folder, results, force=False):
    return RunConfig(
        name, exp, model=ModelConfig(name=str(folder), device="cpu"), pools=POOLS, results_dir=results, force=force,
        tracker=TrackerConfig(kind=TrackerKind.NONE),
    )  # fmt: skip


def script(monkeypatch, wrong):
    def load(identity, config):
        model = scripted_model(identity, config, wrong)
        rows = torch.nn.Embedding.from_pretrained(embedding(model.d_vocab))
        monkeypatch.setattr(type(model.backend), "get_input_embeddings", lambda _: rows, raising=False)
        return model

    monkeypatch.setattr(CausalModel, "load", load)


def go_hunting(folder, results, force=False, **exp):
    from experiments.glitchhunter.config import GlitchHunterConfig

    return execute(
        config_of("glitchhunter", to_dataclass(GlitchHunterConfig, {**SMALL, **exp}, "exp."), folder, results, force)
    )


def take_census(folder, results):
    from experiments.census.config import CensusConfig

    return execute(config_of("census", CensusConfig(), folder, results))


def found_ids(run):
    return sorted(int(i) for i in run.details["tokens"])


def test_the_planted_cluster_is_found_and_the_hunt_is_drawn(folder, tmp_path, monkeypatch):
    script(monkeypatch, WRONG)
    run = go_hunting(folder, tmp_path)
    assert found_ids(run) == BAD
    assert run.metrics["found"] == len(BAD)
    assert run.metrics["queries"] == (run.arrays["asked_at"] >= 0).sum() < 0.7 * N_TOKENS
    assert run.metrics["tokens_processed"] > run.metrics["queries"]
    assert {"embedding_map", "iterations"} == set(run.figures), "no recall without a census"
    assert any("no census of this model" in note for note in run.notes)
    assert "precision" not in run.metrics
    records = run.records
    first = records[records["iteration"] == 1]
    assert first["size"].sum() == N_TOKENS
    assert int(first["kept"].sum()) == run.details["iterations"][0]["n_kept"]
    table = (run.folder / "tables" / "iterations.csv").read_text().splitlines()
    assert len(table) == 2 + len(run.details["iterations"])
    order = [int(line.split(",")[2]) for line in (run.folder / "tables" / "found.csv").read_text().splitlines()[1:]]
    assert order == sorted(order)
    assert "no idea" not in (run.folder / "report.html").read_text()


def test_against_a_census_of_the_same_model(folder, tmp_path, monkeypatch):
    elsewhere = (3, 30, 66, 98, 150, 180, 210)
    script(monkeypatch, {Task.REPETITION: WRONG[Task.REPETITION] | dict.fromkeys(elsewhere, " no idea")})
    census = take_census(folder, tmp_path)
    n = len(BAD) + len(elsewhere)
    assert census.metrics["glitch_tokens"] == n
    live = go_hunting(folder, tmp_path)
    assert (live.metrics["precision"], live.metrics["census/glitch_tokens"]) == (1.0, n)
    share = len(found_ids(live)) / n
    assert len(BAD) / n <= share < 1
    assert live.metrics["recall"] == pytest.approx(share)
    assert live.metrics["recall/ci_low"] < share < live.metrics["recall/ci_high"]
    assert live.details["census"] == census.run_id
    assert "recall" in live.figures
    stored = go_hunting(folder, tmp_path, from_census=True, census=census.folder)
    assert set(BAD) <= set(found_ids(stored))
    assert stored.metrics["precision"] == 1.0
    assert "echo_3" in stored.details["tasks"]
    assert stored.metrics["queries"] == (stored.arrays["asked_at"] >= 0).sum(), "one verdict a token"


def test_no_glitch_token_is_a_plain_sentence(folder, tmp_path, monkeypatch):
    script(monkeypatch, {})
    take_census(folder, tmp_path)
    run = go_hunting(folder, tmp_path)
    assert run.metrics["found"] == run.metrics["census/glitch_tokens"] == 0
    assert run.metrics["precision"] is None
    assert run.metrics["recall"] is None
    assert run.metrics["f1"] is None
    assert any(note.startswith("No glitch token was found") for note in run.notes)
    assert run.manifest["status"] == "complete"


def test_a_budget_ends_the_hunt_with_a_sentence(folder, tmp_path, monkeypatch):
    script(monkeypatch, WRONG)
    run = go_hunting(folder, tmp_path, budget=20)
    assert (run.metrics["queries"], run.metrics["complete"]) == (20, 0)
    assert any("budget of 20 queries" in note for note in run.notes)


def test_a_model_that_cannot_repeat_has_a_graph_and_no_verdicts(folder, tmp_path):
    run = go_hunting(folder, tmp_path)
    assert run.metrics["informative"] == 0
    assert "found" not in run.metrics
    assert run.metrics["graph/communities"] >= 1
    assert any("no verdict means anything" in note for note in run.notes)
    assert set(run.figures) == {"embedding_map"}


def test_impossible_requests_are_refused_before_anything_runs(folder, tmp_path):
    with pytest.raises(Rejected, match=r"exp\.k: got 268, allowed: 1 to 267"):
        go_hunting(folder, tmp_path, k=N_TOKENS)
    with pytest.raises(Rejected, match=r"exp\.census: no census of"):
        go_hunting(folder, tmp_path, from_census=True)
    with pytest.raises(Rejected, match=r"exp\.census: got"):
        go_hunting(folder, tmp_path, census=tmp_path)
    with pytest.raises(Rejected, match=r"exp\.tasks: got"):
        go_hunting(folder, tmp_path, tasks=())
    assert not list(tmp_path.glob("glitchhunter/*/manifest.json"))


def test_an_embedding_that_is_not_numbers_fails_in_words(folder, tmp_path, monkeypatch):
    script(monkeypatch, WRONG)
    broken = embedding(N_TOKENS + 1)
    broken[17] = float("nan")
    monkeypatch.setattr(CausalModel, "embedding", lambda _: broken)
    with pytest.raises(RunFailed, match="rows of the input embedding are not finite numbers, the first of them row 17"):
        go_hunting(folder, tmp_path)


def test_interrupted_and_continued_it_ends_with_the_same_bytes(folder, tmp_path, monkeypatch):
    script(monkeypatch, WRONG)
    whole = go_hunting(folder, tmp_path / "whole")
    original, calls = LiveOracle._answer, []

    def stops_at_the_third(self, ids):
        calls.append(len(ids))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(self, ids)

    monkeypatch.setattr(LiveOracle, "_answer", stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        go_hunting(folder, tmp_path / "cut")
    continued = go_hunting(folder, tmp_path / "cut")
    for name in ("metrics.json", "records.jsonl", "arrays.safetensors", "details.json"):
        assert (continued.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert sum(calls) - calls[2] == whole.metrics["queries"], "nothing was asked twice"


def test_kept_verdicts_are_read_and_others_asked_anew(tmp_path):
    table = {1: True, 2: False, 3: True}
    shards = ShardStore(RunFolder(tmp_path))
    first = KeptOracle(TableOracle(table, tokens_per_query=5), shards)
    assert first.query([1, 2]) == [True, False]
    inner = TableOracle(table, tokens_per_query=5)
    again = KeptOracle(inner, shards)
    assert again.query([1, 2]) == [True, False]
    assert (inner.n_queries, again.n_queries, again.tokens_processed) == (0, 2, 10)
    other = KeptOracle(inner, shards)
    assert other.query([3, 2]) == [True, False]
    assert inner.n_queries == 2
