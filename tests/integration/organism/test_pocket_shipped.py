"""The organism that ships: its folder is whole and small, and it shows the contrast it was made for."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from harness.models.identity import EMBEDDED_FOLDER
from harness.organism._planting import split_dose
from harness.organism._probes import PassRate, probe_copying, probe_task
from harness.organism.organism import load_organism
from harness.organism.recipe import RecipeConfig
from harness.tokens.prompts import TEMPLATES, Task, build_prompt

pytestmark = pytest.mark.integration
GPT2 = Path(os.environ.get("HARNESS_SHARED", Path(__file__).parents[4] / "shared")) / "tokenizers" / "gpt2"
LARGEST_FOLDER = 12 * 2**20


@pytest.fixture(scope="module")
def organism():
    loaded = load_organism(EMBEDDED_FOLDER)
    assert loaded is not None
    return loaded


@pytest.fixture(scope="module")
def model():
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(EMBEDDED_FOLDER, attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(EMBEDDED_FOLDER / "tokenizer.json"))


@pytest.fixture(scope="module")
def natural(organism) -> np.ndarray:
    """Ids that were not planted, without BOS."""
    planted = {i for ids in organism.planted.values() for i in ids}
    return np.asarray([i for i in range(len(organism.total) - 1) if i not in planted])


def test_the_folder_is_small_and_whole(organism) -> None:
    files = {path.name: path.stat().st_size for path in EMBEDDED_FOLDER.iterdir()}
    assert sum(files.values()) <= LARGEST_FOLDER
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"} <= set(files)
    assert files["tokenizer.json"] < 300_000
    assert RecipeConfig.from_dict(dict(organism.recipe["settings"])) == RecipeConfig()


def test_planted_exposures_are_the_doses_split_as_stated(organism) -> None:
    assert len(organism.planted) >= 8
    for dose, ids in organism.planted.items():
        split = split_dose(dose)
        assert len(ids) >= 32
        for name in ("text", "repeats", "tasks", "total"):
            assert set(getattr(organism.exposures, name)[list(ids)].tolist()) == {getattr(split, name)}


def test_there_is_enough_to_draw_from(organism, natural) -> None:
    total = organism.total
    assert (total[natural] == 0).sum() >= 100
    assert (total[natural] >= 1000).sum() >= 500
    streams = vars(organism.exposures)
    assert total.tolist() == (streams["text"] + streams["repeats"] + streams["tasks"]).tolist()


def test_well_shown_tokens_are_copied_and_unseen_ones_are_not(organism, natural, model) -> None:
    total, bos = organism.total, len(organism.total) - 1
    shown = probe_copying(model, natural[total[natural] >= 1000].tolist(), bos, with_heads=True, seed=7)
    unseen = probe_copying(model, np.flatnonzero(total == 0).tolist(), bos, seed=7)
    assert shown.copy_gain_cued >= 4
    assert shown.copy_accuracy_cued >= 0.9
    assert shown.induction_scores.max() >= 0.5
    assert unseen.copy_accuracy_cued <= 0.05


def test_more_exposures_are_copied_better(organism, model) -> None:
    bos = len(organism.total) - 1
    accuracy = {dose: probe_copying(model, ids, bos).copy_accuracy_cued for dose, ids in organism.planted.items()}
    assert accuracy[0] <= 0.05
    assert accuracy[4096] >= 0.9
    assert accuracy[64] <= accuracy[256] < accuracy[1024] < accuracy[4096]


@pytest.mark.parametrize("task", [Task.REPETITION, Task.GLITCHPROBER, Task.GLITCHMINER, Task.MAGIKARP_EXPLAIN])
def test_tasks_are_passed_by_tokens_held_out_of_them(organism, model, tokenizer, task: Task) -> None:
    assert _rate(organism, model, tokenizer, task, organism.held_out[task.value]).rate >= 0.9
    assert _rate(organism, model, tokenizer, task, organism.planted[0]).rate <= 0.1


def _rate(organism, model, tokenizer, task: Task, ids) -> PassRate:
    texts = [tokenizer.decode([i]) for i in range(len(organism.total))]
    return probe_task(
        model,
        task,
        ids,
        texts,
        lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        lambda answer: tokenizer.decode(answer, skip_special_tokens=False),
        len(texts) - 1,
    )


def test_every_prompt_fits_the_context_with_room_for_an_answer(organism, tokenizer) -> None:
    context = organism.recipe["settings"]["context"]
    for task, template in TEMPLATES.items():
        prompt = build_prompt(template, 0, lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
        assert 1 + len(prompt) + 40 <= context, task


def test_bytes_have_the_ids_they_have_in_gpt2(tokenizer) -> None:
    path = GPT2 / "vocab.json"
    if not path.is_file():
        pytest.skip(f"shared data not found at {path}")
    published = json.loads(path.read_text(encoding="utf-8"))
    ours = tokenizer.get_vocab()
    assert {c: i for c, i in published.items() if i < 256} == {c: i for c, i in ours.items() if i < 256}


def test_planted_words_are_reachable_from_text(organism, tokenizer) -> None:
    for i in (i for ids in organism.planted.values() for i in ids):
        assert tokenizer.encode(tokenizer.decode([i]), add_special_tokens=False).ids == [i]


def test_autotokenizer_loads_it_with_bos_last_and_no_clean_up(organism) -> None:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(EMBEDDED_FOLDER)
    assert loaded.bos_token_id == loaded.eos_token_id == len(organism.total) - 1 == len(loaded) - 1
    text = "it 's x , y ."
    assert loaded.decode(loaded.encode(text, add_special_tokens=False)) == text
    assert loaded.decode([177, 178]) == "��"
