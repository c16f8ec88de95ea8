"""where_it_breaks on models of which it is known what is broken."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from experiments.where_it_breaks import measure as measuring
from harness.errors import RunFailed
from harness.models.identity import EMBEDDED_FOLDER
from harness.notebook import run
from harness.organism.organism import load_organism
from harness.runs.results.stored_run import StoredRun
from tests.helpers import zoo

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]

SCALE = 0.1
"""Small enough to break copying, large enough for the rows not to coincide."""
SHIFT = 8.0
SMALL = ("exp.seq_len=6", "exp.n_own=2", "exp.n_tokens=5", "exp.n_appearances=2", "tracker=none")


def tiny(name: str, tmp_path: Path, *more: str, unused: str = "3:9") -> StoredRun:
    """A run on a tiny model with random weights."""
    (row,) = (row for row in zoo.ROWS if row.name == name)
    folder = zoo.save_model(row, tmp_path / name)
    words = (f"model.name={folder}", f"pools.unused={unused}", "pools.common=10:62", f"results_dir={tmp_path}", *SMALL)
    return run("where_it_breaks", *words, *more)


def notes(stored: StoredRun) -> str:
    return "\n".join(json.loads((stored.folder / "manifest.json").read_text())["notes"])


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
def test_both_rows_of_the_partner_are_the_partner(name, tmp_path):
    arrays = tiny(name, tmp_path).arrays
    partner = arrays["unused/identity/partner"]
    assert np.abs(partner - arrays["unused/identity/own"]).max() > 0.01
    np.testing.assert_allclose(arrays["unused/identity/swap_both"], partner, atol=1e-4)
    # Before the first layer a half's stream is all there is of its tokens; after the last one, all that is read.
    np.testing.assert_allclose(arrays["unused/residual/second"][:, -1], partner, atol=1e-4)
    # Nothing is patched into the last layer's first half that anything reads.
    np.testing.assert_allclose(arrays["unused/residual/first"][:, -1], arrays["unused/identity/swap_output"], atol=1e-4)
    # The logit lens after the last layer is the model itself; before the first it knows the cue alone.
    np.testing.assert_allclose(arrays["unused/lens/own"][:, -1], arrays["unused/identity/own"], atol=1e-4)
    np.testing.assert_allclose(arrays["unused/lens/own"][:, 0], 0, atol=1e-4)
    changed = [key for key in arrays if key.startswith("unused/identity/")]
    assert {"unused/identity/patterns_all", "unused/identity/output_previous"} <= set(changed)
    for key in changed:
        if key.split("/")[-1] not in ("partner", "swap_both"):
            assert np.abs(arrays[key] - partner).max() > 1e-3, key


def test_an_interrupted_run_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    whole = tiny("gpt2", tmp_path / "whole")
    calls, intervene = [], measuring.intervene

    def failing(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise RunFailed("killed")
        return intervene(*arguments)

    monkeypatch.setattr(measuring, "intervene", failing)
    with pytest.raises(RunFailed, match="killed"):
        tiny("gpt2", tmp_path / "resumed")
    assert tiny("gpt2", tmp_path / "resumed").metrics == whole.metrics
    assert len(calls) == 3, "what was measured before is not measured again"


def test_numbers_do_not_depend_on_the_batch(tmp_path):
    alone, together = (tiny("llama", tmp_path / size, f"exp.batch_size={size}", "exp.n_own=2") for size in ("1", "64"))
    assert len(alone.arrays["unused/ids"]) == 5
    for key, array in alone.arrays.items():
        np.testing.assert_allclose(array, together.arrays[key], atol=1e-4, err_msg=key)


def test_a_single_token_has_no_intervals_and_no_mixed_halves(tmp_path):
    metrics = tiny("gpt2", tmp_path, unused="[3]").metrics
    assert metrics["n_tokens"] == 1
    assert metrics["identity_effect/ci_low"] is None
    assert not any(key.startswith(("mixed", "decoded")) for key in metrics)


def test_capped_logits_leave_out_changes_of_output_rows(tmp_path):
    stored = tiny("gemma2", tmp_path)
    assert "restored/rescale_output" not in stored.metrics
    assert "restored/swap_output" in stored.metrics
    assert "changes of output rows are left out" in notes(stored)
    assert "attribution of the effect to them is left out" in notes(stored)
    assert not any(key.startswith("attribution") for key in stored.metrics)


def test_hooks_that_change_nothing_are_left_out(tmp_path):
    # TransformerLens gives OPT's patterns to hooks after they were used.
    stored = tiny("opt", tmp_path)
    assert "restored/patterns_all" not in stored.metrics
    assert "restored/swap_both" in stored.metrics
    assert "change nothing: patching of patterns" in notes(stored)


def test_a_model_without_attention_answers_with_what_it_has(tmp_path):
    stored = tiny("mamba", tmp_path)
    assert "restored/patterns_all" not in stored.metrics
    assert "residual_first_half_0" in " ".join(stored.metrics)
    assert "no attention patterns" in notes(stored)


@pytest.fixture(scope="module")
def well_known() -> tuple[list[int], list[int]]:
    """Tokens of pocket that it was shown often: those to break, and the others."""
    organism = load_organism(EMBEDDED_FOLDER)
    assert organism is not None
    often = np.flatnonzero((organism.total >= 1000) & (organism.total < 20_000))
    mixed = np.random.default_rng(0).permutation(often).tolist()
    return sorted(mixed[:16]), sorted(mixed[16:400])


def broken(folder: Path, end: str, ids: list[int]) -> Path:
    """pocket with its ends untied, and some rows of one of them nearly without length, or all moved one way."""
    shutil.copytree(EMBEDDED_FOLDER, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.config.tie_word_embeddings = False
    rows = torch.nn.Parameter(model.get_input_embeddings().weight.detach().clone())
    model.get_output_embeddings().weight = rows
    read = model.get_input_embeddings().weight
    with torch.no_grad():
        if end == "direction":
            read[ids] += SHIFT * torch.nn.functional.normalize(
                torch.randn(read.shape[1], generator=torch.Generator().manual_seed(0)), dim=0
            )
        else:
            (rows if end == "output" else read)[ids] *= SCALE
    model.save_pretrained(folder)
    return folder


def broken_run(folder: Path, end: str, ids: list[int], common: list[int]) -> StoredRun:
    model = broken(folder / "model", end, ids)
    return run(
        "where_it_breaks", f"model.name={model}", f"pools.unused={json.dumps(ids)}",
        f"pools.common={json.dumps(common)}", "exp.n_tokens=16", "exp.n_appearances=2", f"results_dir={folder}",
        "tracker=none",
    )  # fmt: skip


@pytest.mark.parametrize(("end", "other"), [("input", "output"), ("output", "input")])
def test_a_planted_defect_is_found_where_it_is(end, other, well_known, tmp_path):
    ids, common = well_known
    metrics = broken_run(tmp_path, end, ids, common).metrics
    assert metrics["loses"] == 1
    assert metrics["lost"] > 5
    assert metrics[f"restored/rescale_{end}"] == pytest.approx(1, abs=0.1)
    assert metrics[f"restored/mend_{end}"] == pytest.approx(1, abs=0.1)
    assert metrics["restored/rescale_both"] == pytest.approx(1, abs=0.1)
    for name in (f"rescale_{other}", f"mend_{other}", "patterns_all", "patterns_induction"):
        assert metrics[f"restored/{name}"] == pytest.approx(0, abs=0.05), name
    assert metrics["restored/swap_both"] == pytest.approx(1, abs=1e-3)
    assert metrics["restored/partner_with_own_patterns"] == pytest.approx(1, abs=0.1)
    assert metrics["control/rescale_both"] == pytest.approx(1, abs=0.1)
    # What is not written is known all the same; what was not read is not, until it is.
    assert metrics["decoded/own"] > 0.9 if end == "output" else metrics["decoded/own"] < 0.4
    assert metrics["decoded/mend_input"] > 0.9
    assert metrics["decoded/partner"] > 0.9
    # Tokens that are not read announce nothing; those that are not written do.
    assert (metrics["mixed/cost_of_cue"] > 3) == (end == "input")
    assert metrics["mixed/cost_of_copied"] > 3
    if end == "input":
        assert metrics["mixed/cue_restored_by_mending"] == pytest.approx(1, abs=0.2)
        assert metrics["mixed_attention/own_then_partner"] < 0.5 < metrics["mixed_attention/mended_then_partner"]
    # Induction heads write partners, and hardly what is not read.
    heads = ("L1H1", "L1H3")
    written = {whose: sum(metrics[f"attribution/{whose}_{head}"] for head in heads) for whose in ("own", "partner")}
    assert abs(written["own"]) < 0.2 * written["partner"]
    assert metrics["attribution/unexplained"] < 1e-3
    # Among well-known tokens, too, a swap of one end alone must fail.
    assert abs(metrics["control/swap_input"]) < 0.3
    assert abs(metrics["control/swap_output"]) < 0.3
    assert metrics["ablated/previous_resampled"] > 0.8
    assert metrics["ablated/induction_resampled"] > 0.8


def test_a_direction_that_some_rows_share_is_found(well_known, tmp_path):
    ids, common = well_known
    metrics = broken_run(tmp_path, "direction", ids, common).metrics
    assert metrics["restored/remove_direction_input"] > 0.7
    assert metrics["restored/remove_direction_output"] == pytest.approx(0, abs=0.1)
    assert metrics["control/remove_direction_input"] > 0.8
