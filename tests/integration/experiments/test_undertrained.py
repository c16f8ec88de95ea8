"""Tokens whose rows were planted among the unused ones become candidates; unlikely ones are verified."""

import numpy as np
import pytest
import torch

from harness.errors import Rejected
from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from tests.helpers.scripted_census import write_model

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


def test_every_token_can_be_verified(folder, tmp_path):
    run = verify(folder, tmp_path, percentile=100.0)
    categories = set(run.records["category"])
    assert categories <= {"ok", "byte", "special"}
    assert CAP in set(run.records["id"])
    assert not set(range(177, 188)) & set(run.records["id"])  # no text can ask for them


def test_prompts_that_do_not_fit_are_left_out(folder, tmp_path):
    run = verify(folder, tmp_path, n_ctx=64)
    assert run.metrics["prompts_used"] == 0
    assert run.metrics["verified"] is None
    assert run.manifest["exit_code"] == 0
    assert sum("is left out" in note for note in run.notes) == 3


def test_ids_outside_the_vocabulary_are_refused(folder, tmp_path):
    with pytest.raises(Rejected, match=r"exp\.unused_ids"):
        verify(folder, tmp_path, unused_ids=(5, 100_000))
