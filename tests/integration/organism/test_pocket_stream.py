"""The training stream: exact doses, exact counts, held-out tokens that really are, bytes as in GPT-2."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from harness.organism._exposures import StreamKind
from harness.organism._planting import split_dose
from harness.organism._stream import build_stream
from harness.organism._task_rows import can_answer
from harness.organism._tokenizer import token_texts
from harness.tokens.prompts import TEMPLATES, Task, TaskFamily, build_prompt

pytestmark = pytest.mark.integration
GPT2 = Path(os.environ.get("HARNESS_SHARED", Path(__file__).parents[4] / "shared")) / "tokenizers" / "gpt2"


def occurrences(rows: np.ndarray, needle: list[int]) -> int:
    """How often a run of ids occurs in the rows."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, len(needle), axis=1)
    return int((windows == np.asarray(needle)).all(-1).sum())


def test_planted_doses_are_exact_in_every_stream(tiny) -> None:
    counted = tiny.stream.exposures(tiny.recipe.vocab_size)
    for dose, ids in tiny.material.planted.items():
        split = split_dose(dose)
        for i in ids:
            assert (counted.text[i], counted.repeats[i], counted.tasks[i]) == (split.text, split.repeats, split.tasks)


def test_exposures_are_a_recount_of_the_rows(tiny) -> None:
    counted = tiny.stream.exposures(tiny.recipe.vocab_size).total
    assert tiny.stream.rows.shape == (tiny.recipe.n_steps * tiny.recipe.batch_size, tiny.recipe.context)
    by_hand = np.zeros(tiny.recipe.vocab_size, dtype=np.int64)
    np.add.at(by_hand, tiny.stream.rows.reshape(-1).astype(np.int64), 1)
    assert counted.tolist() == by_hand.tolist()


def test_every_batch_has_the_rows_of_its_phase(tiny) -> None:
    kinds = tiny.stream.kinds.reshape(tiny.recipe.n_steps, -1)
    early = [(kinds[0] == kind).sum() for kind in StreamKind]
    late = [(kinds[-1] == kind).sum() for kind in StreamKind]
    assert early == [4, 2, 2]
    assert late == [4, 1, 3]


def test_held_out_tokens_never_stand_in_their_prompts(tiny) -> None:
    tasks = tiny.stream.rows[tiny.stream.kinds == StreamKind.TASKS].astype(np.int64)
    tokenizer = tiny.material.tokenizer
    shown = {i for i in range(tiny.recipe.vocab_size) if i in tasks}
    for task in (Task.REPETITION, Task.SPELLING, Task.LENGTH, Task.GLITCHPROBER, Task.GLITCHMINER):

        def asked(i: int, task: Task = task) -> int:
            ids = build_prompt(TEMPLATES[task], i, lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
            # Five ids and the slot: short enough to survive a cut row, long enough to be this prompt.
            at = ids.index(i)
            return occurrences(tasks, ids[max(0, at - 5) : at + 1])

        held_out = tiny.stream.held_out[task.family]
        assert held_out
        assert sum(asked(i) for i in held_out) == 0, task
        assert sum(asked(i) for i in shown - set(held_out)) > 0, task


def test_held_out_sets_are_disjoint_well_shown_and_shown_elsewhere(tiny) -> None:
    counted = tiny.stream.exposures(tiny.recipe.vocab_size)
    sets = [set(tiny.stream.held_out[family]) for family in TaskFamily]
    together = set().union(*sets)
    assert len(together) == sum(len(ids) for ids in sets)
    assert min(counted.text[i] for i in together) >= tiny.recipe.held_out_min_exposures
    assert sum(counted.tasks[i] for i in together) > 0
    texts = token_texts(tiny.material.tokenizer)
    assert all(can_answer(Task.SPELLING, texts[i]) for i in together)


def test_unseen_tokens_stay_unseen_in_all_streams(tiny) -> None:
    counted = tiny.stream.exposures(tiny.recipe.vocab_size)
    never_in_text = counted.text == 0
    assert never_in_text.sum() > 50
    assert counted.repeats[never_in_text].sum() == 0


def test_the_same_recipe_gives_the_same_rows_and_another_seed_others(tiny) -> None:
    from dataclasses import replace

    again = build_stream(tiny.recipe, tiny.material)
    assert again.sha256() == tiny.stream.sha256()
    other = build_stream(replace(tiny.recipe, stream_seed=1), tiny.material)
    assert other.sha256() != tiny.stream.sha256()


def test_planted_words_are_one_token_and_come_back(tiny) -> None:
    tokenizer = tiny.material.tokenizer
    texts = token_texts(tokenizer)
    for i in (i for ids in tiny.material.planted.values() for i in ids):
        assert tokenizer.encode(texts[i], add_special_tokens=False).ids == [i]
        assert texts[i].startswith(" ") and texts[i][1:].isalpha()


def test_too_large_doses_are_refused(tiny) -> None:
    from dataclasses import replace

    greedy = replace(tiny.recipe, doses=(0, 1, 4, 4096))
    with pytest.raises(ValueError, match="allowed: smaller doses or more steps"):
        build_stream(greedy, type(tiny.material)(tiny.material.tokenizer, {4096: (980, 981)}, tiny.material.corpus))


def test_bytes_have_the_ids_they_have_in_gpt2(tiny) -> None:
    path = GPT2 / "vocab.json"
    if not path.is_file():
        pytest.skip(f"shared data not found at {path}")
    published = json.loads(path.read_text(encoding="utf-8"))
    ours = tiny.material.tokenizer.get_vocab()
    bytes_of_gpt2 = {character: i for character, i in published.items() if i < 256}
    assert len(bytes_of_gpt2) == 256
    assert {character: ours[character] for character in bytes_of_gpt2} == bytes_of_gpt2
    assert ours["<|endoftext|>"] == tiny.recipe.vocab_size - 1
