"""Tokens whose rows were planted among the unused ones become candidates; unlikely ones are verified."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from tests.helpers.scripted_census import write_model
from tests.helpers.small_tokenizers import wordpiece
from tests.helpers.small_tokenizers import write_model as write_small

pytestmark = pytest.mark.integration

CAP, ON = 260, 261


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tied model in which "cap" and "on" have the rows of the bytes that no text holds."""
    import transformers as tf

    folder = write_model(tmp_path_factory.mktemp("undertrained") / "tiny")
    tf.utils.logging.disable_progress_bar()
    model = tf.AutoModelForCausalLM.from_pretrained(folder)
    rows = model.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        rows[:] = torch.randn(rows.shape, generator=generator)
        unused = torch.randn(rows.shape[1], generator=generator)
        for token in (*range(177, 188), CAP, ON):
            rows[token] = unused + 0.01 * torch.randn(rows.shape[1], generator=generator)
    model.save_pretrained(folder)
    return folder


def verify(folder, results, n_ctx=None, **exp):
    from experiments.undertrained.config import UndertrainedConfig

    return execute(
        RunConfig(
            exp_name="undertrained",
            exp=UndertrainedConfig(**exp),
            model=ModelConfig(name=str(folder), device="cpu", n_ctx=n_ctx),
            pools={"common": tuple(range(65, 75))},
            results_dir=results,
            tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )


@pytest.mark.usefixtures("undrawn")
def test_planted_rows_are_the_lowest(folder, tmp_path):
    run = verify(folder, tmp_path)
    assert run.details["unused"]["ids"] == list(range(177, 188))
    assert set(run.arrays["candidates"][:2].tolist()) == {CAP, ON}
    assert run.metrics["main_indicator"] == "cosine"
    assert run.metrics["candidates"] == len(run.records) == len(run.arrays["max_prob"])
    assert run.arrays["indicator/cosine"].shape == (269,)
    verified = run.records["verified"].to_numpy(dtype=bool)
    assert np.array_equal(verified, run.records["max_prob"].to_numpy() < 0.01)
    assert "published" not in run.details


@pytest.mark.usefixtures("undrawn")
def test_every_token_can_be_verified(folder, tmp_path):
    run = verify(folder, tmp_path, percentile=100.0)
    categories = set(run.records["category"])
    assert categories <= {"ok", "byte", "special"}
    assert CAP in set(run.records["id"])
    assert not set(range(177, 188)) & set(run.records["id"])  # no text can ask for them


@pytest.mark.usefixtures("undrawn")
def test_prompts_that_do_not_fit_are_left_out(folder, tmp_path):
    run = verify(folder, tmp_path, n_ctx=64)
    assert run.metrics["prompts_used"] == 0
    assert run.metrics["verified"] is None
    assert run.manifest["exit_code"] == 0
    assert sum("is left out" in note for note in run.notes) == 3


def test_ids_outside_the_vocabulary_are_refused(folder, tmp_path):
    with pytest.raises(Rejected, match=r"exp\.unused_ids"):
        verify(folder, tmp_path, unused_ids=(5, 100_000))


@pytest.mark.usefixtures("undrawn")
def test_a_pool_that_is_not_used_is_not_resolved(folder, tmp_path):
    from experiments.undertrained.config import UndertrainedConfig

    config = RunConfig(
        exp_name="undertrained",
        exp=UndertrainedConfig(unused_ids=(177, 178), percentile=1.0, controls=16),
        model=ModelConfig(name=str(folder), device="cpu"),
        pools={"unused": "exposures:0:1", "common": tuple(range(65, 75))},
        results_dir=tmp_path,
        tracker=TrackerConfig(kind=TrackerKind.NONE),
    )
    run = execute(config)
    assert run.details["unused"]["ids"] == [177, 178]
    # One that is used is refused before any weights are loaded.
    with pytest.raises(Rejected, match=r"pools\.common: got 'exposures:5:'"):
        execute(replace(config, pools={"unused": "auto", "common": "exposures:5:"}))


def test_the_reference_is_checked_and_random_tokens_are_asked_as_well(folder, tmp_path):
    run = verify(folder, tmp_path, controls=20)
    check = run.details["unused"]["check"]
    assert check["problems"] == []
    assert check["together"]["cosine"] > 0.9 > check["together"]["random_highest"]
    assert run.metrics["controls"] == len(run.arrays["controls"]) == len(run.arrays["controls/max_prob"]) == 20
    assert not set(run.arrays["controls"].tolist()) & set(run.arrays["candidates"].tolist())
    assert run.metrics["controls_verified"] == int((run.arrays["controls/max_prob"] < 0.01).sum())
    assert any(note.startswith("Taken to be unused: 11 ids (the ids Land & Bartolo") for note in run.notes)
    assert (run.folder / "tables" / "reference.csv").is_file()


@pytest.mark.usefixtures("undrawn")
def test_random_rows_rank_nothing(tmp_path):
    run = verify(write_small(tmp_path / "words", wordpiece(), unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
                             sep_token="[SEP]", mask_token="[MASK]"), tmp_path / "results")  # fmt: skip
    assert run.metrics["weights_rank"] == 0
    assert "no token is known to be unused" in run.details["weights_rank"]["reason"]
    assert any("do not rank under-training" in note and "exp=census" in note for note in run.notes)
    assert "ask instead" in (run.folder / "headline.json").read_text()
