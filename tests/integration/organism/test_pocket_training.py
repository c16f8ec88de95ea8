"""Training: an interrupted run ends with the weights of an undisturbed one, and the folder is complete."""

import csv
import itertools
import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from harness.errors import RunFailed
from harness.organism._loss import next_token_loss
from harness.organism._optimising import build_optimiser
from harness.organism._shipping import Verdict, ship
from harness.organism._stream import following_text
from harness.organism.organism import load_organism
from harness.organism.recipe import Architecture, Optimiser, RecipeConfig
from harness.organism.training import make_model, train_organism
from harness.training.checkpoints import newest_checkpoint

pytestmark = pytest.mark.integration


def train_until_killed(recipe: RecipeConfig, out: Path, work: Path, stdlib: Path) -> None:
    def progress(step: int, total: int, loss: float) -> None:
        if step >= 20:
            os.kill(os.getpid(), signal.SIGKILL)

    train_organism(recipe, out, work, progress, stdlib)


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("undisturbed")
    reports: list[tuple[int, int, float]] = []
    outcome = train_organism(
        tiny.recipe, folder / "out", folder / "work", lambda *report: reports.append(report), tiny.stdlib
    )
    return SimpleNamespace(outcome=outcome, out=folder / "out", reports=reports)


def test_a_killed_training_goes_on_to_the_same_weights(tiny, undisturbed, tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    # A process of its own, started afresh: torch and its threads do not survive a fork.
    child = multiprocessing.get_context("spawn").Process(
        target=train_until_killed, args=(tiny.recipe, out, work, tiny.stdlib)
    )
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert not (out / "exposures.safetensors").exists()
    outcome = train_organism(tiny.recipe, out, work, lambda *_: None, tiny.stdlib)
    assert outcome.resumed_from == 10
    assert (out / "model.safetensors").read_bytes() == (undisturbed.out / "model.safetensors").read_bytes()
    assert (out / "training_curve.csv").read_text() == (undisturbed.out / "training_curve.csv").read_text()


def test_the_folder_is_complete_and_loads(tiny, undisturbed) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    organism = load_organism(undisturbed.out)
    assert organism is not None
    counted = tiny.stream.exposures(tiny.recipe.vocab_size)
    for name in ("total", "text", "repeats", "tasks"):
        assert getattr(organism.exposures, name).tolist() == getattr(counted, name).tolist()
    assert organism.planted == tiny.material.planted
    assert RecipeConfig.from_dict(organism.recipe["settings"]) == tiny.recipe
    assert organism.recipe["stream_sha256"] == tiny.stream.sha256()
    model = AutoModelForCausalLM.from_pretrained(undisturbed.out)
    tokenizer = AutoTokenizer.from_pretrained(undisturbed.out)
    assert model.config.model_type == "gpt2"
    assert tokenizer.bos_token_id == model.config.bos_token_id == tiny.recipe.vocab_size - 1
    text = "def f(x):\n    return x ."
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text
    with (undisturbed.out / "training_curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows if row["copy_accuracy_cued"]] == [6, 12, 18, 24]
    assert [report[:2] for report in undisturbed.reports] == [(10, 24), (20, 24)]
    assert undisturbed.outcome.steps == tiny.recipe.n_steps
    assert undisturbed.outcome.final_loss < np.log(tiny.recipe.vocab_size)


@pytest.mark.parametrize("n_files", range(8))
def test_a_disk_that_fills_up_leaves_old_files_or_new_ones(
    tiny, undisturbed, n_files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(undisturbed.out, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    room = itertools.count()

    def fill_up(_: int) -> None:
        if next(room) >= n_files:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fill_up)
    verdict = Verdict((), (), {}, {}, 0.0, "0.0")
    with pytest.raises(RunFailed, match="No space left"):
        ship(make_model(tiny.recipe), tiny.recipe, tiny.material, tiny.stream, [], verdict, folder)
    assert load_organism(folder) is None
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.keys() == before.keys() - {"exposures.safetensors"}
    changed = [name for name in after if after[name] != before[name]]
    assert len(changed) <= n_files
    for name in changed:
        if name.endswith(".json"):
            json.loads(after[name])


def test_a_folder_without_exposures_is_no_organism(tmp_path: Path) -> None:
    assert load_organism(tmp_path) is None


def test_a_torn_checkpoint_is_not_used(tmp_path: Path) -> None:
    for step, content in ((8, json.dumps({"global_step": 8})), (16, '{"global_st')):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(content)
    (tmp_path / "checkpoint-24").mkdir()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-8"
    assert not (tmp_path / "checkpoint-16").exists()


def test_the_chunked_loss_and_our_attention_are_the_models_own(tiny) -> None:
    import torch
    from transformers import GPT2LMHeadModel

    model = make_model(tiny.recipe)
    tokens = torch.from_numpy(tiny.stream.rows[:6].astype(np.int64))
    reference = GPT2LMHeadModel._from_config(model.config, attn_implementation="eager")
    reference.load_state_dict(model.state_dict())
    with torch.no_grad():
        expected = reference(input_ids=tokens, labels=tokens).loss
        assert torch.allclose(model(tokens).logits, reference(tokens).logits, atol=1e-5)
        # bf16 products carry three digits.
        assert abs(next_token_loss(model, tokens, tiny.recipe.context) - expected) < 5e-3


def test_rows_of_another_library_are_not_mixed_in(tiny, tmp_path: Path) -> None:
    work = tmp_path / f"pocket-{tiny.recipe.fingerprint()}"
    work.mkdir()
    (work / "stream.sha256").write_text("of other rows")
    with pytest.raises(ValueError, match=r"work_folder: .* begun with other training rows"):
        train_organism(tiny.recipe, tmp_path / "out", tmp_path, lambda *_: None, tiny.stdlib)


def test_an_untied_organism_of_another_optimiser_ships_both_matrices_and_says_so(tiny, tmp_path: Path) -> None:
    recipe = replace(tiny.recipe, tied=False, optimiser=Optimiser.ADAFACTOR, bf16=False, n_steps=12)
    trained = {}
    for kind in (recipe, replace(recipe, optimiser=Optimiser.ADAMW)):
        out = tmp_path / kind.optimiser.value
        train_organism(kind, out, tmp_path / "work", lambda *_: None, tiny.stdlib)
        trained[kind.optimiser] = load_file(out / "model.safetensors")
    found = trained[Optimiser.ADAFACTOR]
    assert not np.array_equal(found["lm_head.weight"], found["transformer.wte.weight"])
    # The same rows from the same start: only the optimiser tells them apart.
    assert not np.array_equal(found["lm_head.weight"], trained[Optimiser.ADAMW]["lm_head.weight"])
    organism = load_organism(tmp_path / "adafactor")
    assert organism is not None
    assert RecipeConfig.from_dict(organism.recipe["settings"]) == recipe
    card = (tmp_path / "adafactor" / "README.md").read_text(encoding="utf-8")
    assert "untied embeddings" in card
    assert "Adafactor" in card
    assert "fp32 products" in card


def test_a_rotary_organism_is_the_same_network_in_plain_transformers(tiny) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = make_model(replace(tiny.recipe, architecture=Architecture.GPT_NEOX))
    tokens = torch.from_numpy(tiny.stream.rows[:4].astype(np.int64))
    reference = AutoModelForCausalLM.from_config(model.config, attn_implementation="eager")
    reference.load_state_dict(model.state_dict())
    with torch.no_grad():
        expected = reference(input_ids=tokens, labels=tokens).loss
        assert torch.allclose(model(tokens).logits, reference(tokens).logits, atol=1e-5)
        found = next_token_loss(model, tokens, tiny.recipe.context, bf16=False)
    assert float(found) == pytest.approx(float(expected), abs=1e-4)


def test_tokens_left_out_of_the_softmax_are_not_pushed_and_only_decay(tiny, tmp_path: Path) -> None:
    recipe = replace(
        tiny.recipe, architecture=Architecture.GPT_NEOX, tied=False, bf16=False, n_steps=12, weight_decay=0.0
    )
    moved = {}
    for is_shown_only in (False, True):
        one = replace(recipe, softmax_over_shown=is_shown_only)
        out = tmp_path / str(is_shown_only)
        train_organism(one, out, tmp_path / "work", lambda *_: None, tiny.stdlib)
        organism = load_organism(out)
        assert organism is not None
        start = make_model(one).get_output_embeddings().weight.detach().numpy()
        end = load_file(out / "model.safetensors")["embed_out.weight"]
        moved[is_shown_only] = np.abs(end - start)[organism.total == 0].max()
    assert moved[False] > 1e-4
    assert moved[True] == 0


def test_embeddings_can_begin_wider_and_go_without_decay(tiny) -> None:
    usual = make_model(tiny.recipe)
    wide = make_model(replace(tiny.recipe, embedding_std=0.2))
    np.testing.assert_allclose(
        wide.get_input_embeddings().weight.detach(), 10 * usual.get_input_embeddings().weight.detach(), rtol=1e-5
    )
    for (name, a), (_, b) in zip(usual.named_parameters(), wide.named_parameters(), strict=True):
        assert "wte" in name or a.equal(b)
    recipe = replace(tiny.recipe, decay_embeddings=False, weight_decay=0.1)
    for optimiser in (Optimiser.ADAMW, Optimiser.COUPLED_ADAM, Optimiser.SGD, Optimiser.SGD_EMBEDDINGS):
        built = build_optimiser(replace(recipe, optimiser=optimiser), usual)
        assert built is not None
        decays = {id(p): group["weight_decay"] for group in built.param_groups for p in group["params"]}
        assert len(decays) == len(list(usual.parameters()))
        assert decays[id(usual.get_input_embeddings().weight)] == 0
        assert decays[id(usual.transformer.h[0].mlp.c_fc.weight)] == 0.1
        assert decays[id(usual.transformer.h[0].ln_1.weight)] == decays[id(usual.transformer.h[0].mlp.c_fc.bias)] == 0
    assert build_optimiser(tiny.recipe, usual) is None


def test_a_learning_rate_of_the_embeddings_leaves_their_decay_a_step_as_it_was(tiny) -> None:
    model = make_model(tiny.recipe)
    recipe = replace(tiny.recipe, embedding_learning_rate=50 * tiny.recipe.learning_rate)
    built = build_optimiser(recipe, model)
    assert built is not None
    rows, others, _ = built.param_groups
    assert [id(parameter) for parameter in rows["params"]] == [id(model.get_input_embeddings().weight)]
    assert (rows["lr"], others["lr"]) == (recipe.embedding_learning_rate, recipe.learning_rate)
    assert rows["lr"] * rows["weight_decay"] == pytest.approx(recipe.learning_rate * recipe.weight_decay)


def test_held_out_text_is_what_would_come_next_and_none_where_all_was_shown(tiny) -> None:
    rows = following_text(tiny.recipe, tiny.material, 3)
    assert rows is not None
    assert rows.shape == (3, tiny.recipe.context)
    late = tiny.recipe.late_rows
    fewer = replace(tiny.recipe, late_rows=replace(late, text=late.text - 1, repeats=late.repeats + 1))
    n_fewer = tiny.recipe.n_steps - tiny.recipe.early_steps
    before = following_text(fewer, tiny.material, n_fewer + 3)
    assert before is not None
    # A stream with fewer rows of text ends earlier; the same text follows, cut into the same rows.
    np.testing.assert_array_equal(before[n_fewer:], rows)
    assert following_text(tiny.recipe, tiny.material, 10**6) is None
