import math

import pytest
import torch

from experiments.unused_logits.measure import pool_statistics
from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from tests.helpers.scripted_census import write_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("logits") / "tiny")


def look(folder, results, **exp):
    from experiments.unused_logits.config import UnusedLogitsConfig

    return execute(
        RunConfig(
            exp_name="unused_logits",
            exp=UnusedLogitsConfig(prompts=("the cap", "on"), window=16, n_windows=3, **exp),
            model=ModelConfig(name=str(folder), device="cpu"),
            pools={"unused": "byte_unused", "rest": tuple(i for i in range(269) if i not in _BYTES and i != 266)},
            results_dir=results,
            tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )


_BYTES = (124, 125, *range(177, 188))


def test_statistics_by_hand():
    logits = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log() + 3.0
    raw, probability, total, rank = pool_statistics(logits, [1, 2])
    assert raw[0].tolist() == pytest.approx([math.log(0.25) + 3, math.log(0.125) + 3])
    assert probability[0].tolist() == pytest.approx([0.25, 0.125])
    assert total.tolist() == pytest.approx([0.375])
    assert rank.tolist() == [2.0]
    assert pool_statistics(logits, [3])[3].tolist() == [4.0]  # a tie counts against it


def test_the_whole_vocabulary_gets_probability_one(folder, tmp_path):
    run = look(folder, tmp_path)
    pools = ("unused", "rest")
    assert len(run.arrays["text/sequence"]) == 3 * 16
    for kind in ("prompts", "text"):
        totals = sum(run.arrays[f"{pool}/{kind}/total"] for pool in pools)
        # All that is left is the special token, one of 269 about equally likely ones.
        assert totals == pytest.approx(1 - 1 / 269, abs=5e-3)
        assert all(run.arrays[f"{pool}/{kind}/best_rank"].min() >= 1 for pool in pools)
    assert run.metrics["unused/uniform_probability"] == pytest.approx(13 / 269)
    row = run.details["last"]["unused"][0]
    assert row["exp_logit"] == pytest.approx(math.exp(row["logit"]))
    assert row["prob"] < row["exp_logit"]
    assert len(run.records) == 3 * 16 + len(run.arrays["prompts/sequence"])


def test_a_missing_text_and_a_window_too_wide_are_refused(folder, tmp_path):
    with pytest.raises(Rejected, match=r"exp\.text_file"):
        look(folder, tmp_path, text_file=tmp_path / "nowhere.txt")


def test_own_text(folder, tmp_path):
    (tmp_path / "own.txt").write_text("the cap on the inner rein " * 20, encoding="utf-8")
    run = look(folder, tmp_path, text_file=tmp_path / "own.txt")
    assert run.details["text"]["source"] == "own.txt"


def test_another_text_under_the_same_name_is_another_run(folder, tmp_path):
    runs = []
    for words in ("the cap on the inner rein ", "on the cap "):
        (tmp_path / "own.txt").write_text(words * 30, encoding="utf-8")
        runs.append(look(folder, tmp_path, text_file=tmp_path / "own.txt").run_id)
    assert runs[0] != runs[1]
