"""Diagonals of attention patterns, against patterns drawn by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.heads import Head, HeadScore, attention_by_offset, top_heads, uniform_attention

pytestmark = pytest.mark.unit


def looking_back(by: int, n: int) -> torch.Tensor:
    """Every query attends to the key `by` before it, or to position 0."""
    pattern = torch.zeros(n, n)
    for query in range(n):
        pattern[query, max(query - by, 0)] = 1
    return pattern


@pytest.mark.parametrize("bos", [0, 1])
def test_a_head_of_each_kind_scores_one_at_its_offset(bos: int) -> None:
    seq_len = 4
    n = 2 * seq_len + bos
    kinds = list(HeadScore)
    pattern = torch.stack([looking_back(kind.offset(seq_len), n) for kind in kinds])[None]
    found = attention_by_offset(pattern, seq_len, first_query=seq_len + bos)
    assert found.shape == (1, 3, seq_len + 1)
    for head, kind in enumerate(kinds):
        expected = torch.zeros(seq_len + 1)
        expected[kind.offset(seq_len)] = 1
        assert torch.equal(found[0, head], expected)


def test_by_hand() -> None:
    # [a b a b], no BOS: queries 2 and 3.
    pattern = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.2, 0.3, 0.5, 0], [0.1, 0.2, 0.3, 0.4]])[None, None]
    found = attention_by_offset(pattern, seq_len=2, first_query=2)
    # offset 0: keys 2, 3 -> (.5+.4)/2; offset 1: keys 1, 2 -> (.3+.3)/2; offset 2: keys 0, 1 -> (.2+.2)/2.
    assert found[0, 0].tolist() == pytest.approx([0.45, 0.3, 0.2])


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(0, 2), st.booleans(), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_equals_a_loop_for_any_layout(batch: int, head: int, seq_len: int, lead: int, swap: bool, seed: int) -> None:
    n = 2 * seq_len + lead + 1
    pattern = torch.rand(batch, head, n, n, generator=torch.Generator().manual_seed(seed))
    if swap:
        pattern = pattern.transpose(0, 1).contiguous().transpose(0, 1)[:, :, : n - 1]
    first = seq_len + lead
    found = attention_by_offset(pattern, seq_len, first)
    for offset in range(seq_len + 1):
        rows = [pattern[:, :, query, query - offset] for query in range(first, first + seq_len)]
        torch.testing.assert_close(found[..., offset], torch.stack(rows).mean(0))


def test_half_precision_is_averaged_in_float32() -> None:
    pattern = torch.full((1, 1, 600, 600), 0.1).bfloat16()
    found = attention_by_offset(pattern, 300, 300)
    assert found.dtype == torch.float32
    assert found[0, 0, 5].item() == pytest.approx(pattern[0, 0, 0, 0].item(), rel=1e-5)


@pytest.mark.parametrize(("seq_len", "first"), [(3, 2), (3, 4), (0, 3), (4, 4)])
def test_halves_that_do_not_fit_are_refused(seq_len: int, first: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        attention_by_offset(torch.rand(1, 1, 6, 6), seq_len, first)


def test_uniform_attention() -> None:
    # Queries 3 and 4 see 4 and 5 positions.
    assert uniform_attention(2, 3) == pytest.approx((1 / 4 + 1 / 5) / 2)


def test_top_heads_are_named_and_stable() -> None:
    scores = np.array([[0.1, 0.9, 0.9], [0.95, 0.0, 0.9]])
    assert top_heads(scores, 4) == [Head(1, 0), Head(0, 1), Head(0, 2), Head(1, 2)]
    assert top_heads(scores, 1, layers=[3, 7])[0].label == "L7H0"
    assert len(top_heads(scores, 99)) == 6


def test_only_counted_queries_take_part() -> None:
    pattern = torch.rand(3, 2, 9, 9)
    counted = torch.tensor([[True, False, True, False], [False, False, False, True], [True, True, True, True]])
    found = attention_by_offset(pattern, 4, 5, counted)
    for row in range(3):
        queries = 5 + counted[row].nonzero().squeeze(1)
        for offset in range(5):
            expected = pattern[row][:, queries, queries - offset].mean(dim=1)
            assert found[row, :, offset].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert torch.equal(attention_by_offset(pattern, 4, 5, torch.ones(3, 4, dtype=torch.bool)),
                       attention_by_offset(pattern, 4, 5))  # fmt: skip
