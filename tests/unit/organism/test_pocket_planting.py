"""Doses are split as stated, and the streams hold exactly what they were asked for."""

import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.organism._exposures import StreamKind, count_exposures
from harness.organism._planting import assign_doses, split_dose
from harness.organism._repeat_rows import build_repeat_rows

pytestmark = pytest.mark.unit
BOS = 99


@pytest.mark.parametrize(
    ("dose", "text", "repeats", "tasks"),
    [(0, 0, 0, 0), (1, 1, 0, 0), (4, 3, 0, 1), (16, 8, 4, 4), (64, 32, 16, 16), (4096, 2048, 1024, 1024)],
)
def test_split_by_hand(dose: int, text: int, repeats: int, tasks: int) -> None:
    split = split_dose(dose)
    assert (split.text, split.repeats, split.tasks) == (text, repeats, tasks)


@given(st.integers(0, 10**6))
def test_a_split_adds_up_and_repeats_come_in_pairs(dose: int) -> None:
    split = split_dose(dose)
    assert split.total == dose
    assert split.repeats % 2 == 0
    assert min(split.text, split.repeats, split.tasks) >= 0


@given(st.integers(0, 2**32), st.integers(1, 20))
def test_every_word_gets_one_dose(seed: int, size: int) -> None:
    doses = (0, 1, 4)
    groups = assign_doses(range(100, 100 + 3 * size), doses, seed)
    assert tuple(groups) == doses
    assert {len(ids) for ids in groups.values()} == {size}
    assert sorted(i for ids in groups.values() for i in ids) == list(range(100, 100 + 3 * size))


@given(
    st.integers(0, 2**32),
    st.dictionaries(st.integers(90, 95), st.integers(0, 6).map(lambda n: 2 * n), max_size=4),
    st.sampled_from([64, 96, 128]),
)
def test_repeat_rows_hold_planted_ids_exactly(seed: int, quotas: dict[int, int], context: int) -> None:
    weights = np.zeros(100)
    weights[10:50] = 1
    rows = build_repeat_rows(6, context, BOS, weights, quotas, seed)
    counts = np.bincount(rows.reshape(-1), minlength=100)
    assert {i: int(counts[i]) for i in quotas} == quotas
    assert counts[:10].sum() == counts[50:90].sum() == 0
    assert rows.shape == (6, context)


def test_repeat_rows_repeat() -> None:
    weights = np.zeros(5000)
    weights[:4000] = 1
    row = build_repeat_rows(1, 512, 4999, weights, {}, seed=0)[0]
    seen_again = [token for token in row[row != 4999] if (row == token).sum() >= 2]
    assert len(seen_again) > 0.99 * (row != 4999).sum()


def test_repeat_rows_without_room_are_refused() -> None:
    with pytest.raises(ValueError, match="doses: 500 pairs"):
        build_repeat_rows(1, 64, BOS, np.ones(100), {90: 1000}, seed=0)


def test_exposures_count_rows_by_stream() -> None:
    rows = np.asarray([[1, 1, 2], [3, 3, 3], [2, 0, 0]], dtype=np.int16)
    kinds = np.asarray([StreamKind.TEXT, StreamKind.REPEATS, StreamKind.TASKS], dtype=np.int8)
    counted = count_exposures(rows, kinds, 5)
    assert counted.text.tolist() == [0, 2, 1, 0, 0]
    assert counted.repeats.tolist() == [0, 0, 0, 3, 0]
    assert counted.tasks.tolist() == [2, 0, 1, 0, 0]
    assert counted.total.tolist() == [2, 2, 2, 3, 0]


def test_reading_an_organism_loads_no_heavy_library() -> None:
    import subprocess

    code = (
        "import sys, harness.organism.recipe, harness.organism.organism, harness.tokens.prompts;"
        "print([m for m in ('torch', 'transformers', 'tokenizers', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert out.stdout.strip() == "[]"
