"""exp=repair as it is run: a small one on pocket, what it refuses, and a mended checkpoint."""

import json

import numpy as np
import pytest
import torch

from harness.errors import Rejected, RunFailed
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.embedding_rows import load_embedding_rows
from harness.models.identity import resolve_identity
from harness.pipeline import execute
from harness.runs.config.compose import compose_run

pytestmark = pytest.mark.integration

TOKENS = "exp.token_ids=[2813,2871,2919,2964,3007,3055,1742,300]"
SMALL = (
    "exp.n_healthy=16", "exp.n_calibration=16",
    "exp.n_text_tokens=200", "exp.n_copied=12", "exp.gradient.n_rounds=6", "exp.gradient.learning_rates=[0.1]",
    "exp.gradient.starts=[random]", "exp.glitchprober.n_normal=24",
)  # fmt: skip


def run(results, *words, tokens=TOKENS):
    return execute(compose_run(["exp=repair", "tracker=none", f"results_dir={results}", *SMALL, tokens, *words]))


@pytest.fixture(scope="module")
def mended(tmp_path_factory):
    """A run that writes a checkpoint, and the checkpoint."""
    root = tmp_path_factory.mktemp("repair")
    return run(root, "exp.method=gradient", f"exp.out={root / 'mended'}"), root / "mended"


def test_what_is_asked_is_mended_and_healthy_tokens_among_it_are_not(mended) -> None:
    stored, _ = mended
    # 300 is a well-known token: it passes, and is no glitch token.
    assert 300 not in stored.arrays["glitch/ids"]
    assert stored.metrics["glitch_tokens"] == len(stored.arrays["glitch/ids"]) >= 4
    groups = [set(stored.arrays[f"{name}/ids"].tolist()) for name in ("glitch", "healthy", "mistaken")]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert not set(stored.details["wordings"]["fitting"]) & set(stored.details["wordings"]["held_out"])
    assert all(name.startswith("copied") for name in stored.details["wordings"]["fitting"])


def test_the_untouched_model_neither_harms_nor_changes_anything(mended) -> None:
    metrics = mended[0].metrics
    for key in ("healthy_harmed", "mistaken_harmed", "perplexity_change", "copy_effect_change", "positions"):
        assert metrics[f"untouched/{key}"] == 0
    assert metrics["gradient/tokens_per_word_change"] == 0


def test_gradient_rows_repair_by_wordings_they_never_saw(mended) -> None:
    metrics = mended[0].metrics
    assert metrics["gradient/repair_rate"] > metrics["untouched/repair_rate"]
    assert metrics["gradient/positions"] > 0


def test_the_checkpoint_is_the_model_with_other_rows(mended) -> None:
    stored, folder = mended
    config = ModelConfig(name=str(folder))
    identity = resolve_identity(config)
    before = load_embedding_rows(resolve_identity(ModelConfig(name="pocket")), ModelConfig(name="pocket"))
    after = load_embedding_rows(identity, config)
    changed = np.flatnonzero((before.embedding != after.embedding).any(axis=1))
    assert changed.tolist() == stored.arrays["glitch/ids"].tolist()
    assert after.is_tied
    facts = json.loads((folder / "repair.json").read_text())
    assert facts["mended"] == changed.tolist()
    assert facts["method"] == "gradient"
    assert not (folder / "exposures.safetensors").exists()
    assert any("exp.bos=always" in note for note in stored.notes)
    model = CausalModel.load(identity, config)
    assert torch.isfinite(model.logits(torch.tensor([[1, 2, 3]]))).all()


def test_one_end_mended_unties_a_tied_model_and_says_so(tmp_path) -> None:
    stored = run(tmp_path, "exp.method=mean_input", f"exp.out={tmp_path / 'mended'}")
    rows = load_embedding_rows(
        resolve_identity(ModelConfig(name=str(tmp_path / "mended"))), ModelConfig(name=str(tmp_path / "mended"))
    )
    assert not rows.is_tied
    assert any("tie_word_embeddings=false" in note for note in stored.notes)


def test_tokens_that_all_pass_leave_nothing_to_mend(tmp_path) -> None:
    healthy = "exp.token_ids=[300,301,302]"
    stored = run(tmp_path, "exp.method=untouched", tokens=healthy)
    assert stored.metrics["glitch_tokens"] == 0
    assert any("nothing is mended" in note for note in stored.notes)
    with pytest.raises(RunFailed, match=r"exp\.out"):
        run(tmp_path, "exp.method=mean_both", f"exp.out={tmp_path / 'x'}", tokens=healthy)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("exp.method=nothing",), "exp.method"),
        (("exp.out=somewhere",), "exp.out"),
        (("exp.fitting=[copied,echoed,asked]",), "exp.fitting"),
        (("exp.text=no_such_file.txt",), "exp.text"),
    ],
)
def test_a_mistake_is_named(tmp_path, words, named) -> None:
    with pytest.raises(Rejected, match=named):
        run(tmp_path, *words)


def test_an_id_beyond_the_vocabulary_is_named(tmp_path) -> None:
    with pytest.raises(Rejected, match=r"exp\.token_ids"):
        run(tmp_path, tokens="exp.token_ids=[999999]")


def test_a_folder_that_holds_something_is_not_written_to(tmp_path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(Rejected, match=r"exp\.out"):
        run(tmp_path / "results", "exp.method=mean_both", f"exp.out={tmp_path}")


def test_paragraphs_of_a_file_are_documents(tmp_path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("The first one of them.\n\nThe second one.\n\n\n\nThe second one.\n")
    stored = run(tmp_path, "exp.method=untouched", f"exp.text={text}")
    assert stored.metrics["documents"] == 2
