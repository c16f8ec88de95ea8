"""Experiments that rest on what text leads to end with an answer on every kind of tokenizer."""

import pytest

from experiments.token_audit.config import TokenAudit
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs.config.compose import compose_run
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.tokens.vocabulary_audit import Category
from tests.helpers.small_tokenizers import byte_level, write_model
from tests.helpers.zoo_tokenizers import write_kind

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", [
    "byte_level_with_space", "unigram_alone", "bytes_alone", "bpe_with_ends",
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("wordpiece", "sentencepiece", "added_tokens")),
])  # fmt: skip
def test_undertrained_verifies_ordinary_tokens(kind, tmp_path):
    folder = write_kind(kind, tmp_path / kind)
    words = ["exp=undertrained", f"model.name={folder}", "exp.percentile=5", "exp.controls=8", "model.device=cpu"]
    run = execute(compose_run([*words, "tracker=none", f"results_dir={tmp_path}"]))
    assert run.metrics["prompts_used"] > 0
    found = run.records["category"]
    assert len(found) and not {kind.value for kind in Category if kind.is_unreachable} & set(found)


def test_an_audit_does_not_list_the_whole_vocabulary(tmp_path):
    folder = write_kind("byte_level_with_space", tmp_path / "model")
    run = execute(compose_run(
        ["exp=audit", "tracker=none", f"model.name={folder}", f"results_dir={tmp_path}", "model.device=cpu"]
    ))  # fmt: skip
    assert run.metrics["reason/unreachable"] == 0
    letters = run.records[run.records["category"] == "byte"]
    assert letters["is_reachable"].sum() == 128


def test_what_is_lost_is_counted_listed_and_said(tmp_path):
    folder = write_model(tmp_path / "model", byte_level(left_out=(ord("q"), 0xE6)))
    run = execute(
        RunConfig(
            exp_name="token_audit",
            exp=TokenAudit(),
            model=ModelConfig(name=str(folder), device="cpu"),
            results_dir=tmp_path,
            tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )
    assert (run.metrics["lost/bytes"], run.metrics["lost/bytes/vanished"]) == (2, 2)
    assert (run.metrics["lost/characters"], run.metrics["lost/characters/vanished"]) == (4_097, 1)
    assert run.metrics["lost/assigned_characters"] == run.metrics["lost/assigned_characters/silent"] == 4_097
    assert any("2 of 256 bytes and 4,097 of 1,112,064 characters" in note for note in run.notes)
    listed = (run.folder / "tables" / "lost_characters.csv").read_text(encoding="utf-8")
    assert "U+0071" in listed and "U+6000,U+6FFF,4096" in listed
    assert "0xE6" in (run.folder / "tables" / "lost_bytes.csv").read_text(encoding="utf-8")
