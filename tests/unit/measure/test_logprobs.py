"""Statistics read in pieces equal those of a plain log-softmax."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import RunFailed
from harness.measure import logprobs
from harness.measure.logprobs import target_statistics

pytestmark = pytest.mark.unit


def naive(logits: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logp = logits[:, :-1].double().log_softmax(-1)
    target = tokens[:, 1:, None]
    rank = (logits[:, :-1] >= logits[:, :-1].gather(-1, target)).sum(-1)
    return logp.gather(-1, target).squeeze(-1), rank, -(logp.exp() * logp).sum(-1)


@given(
    st.integers(1, 5),
    st.integers(2, 7),
    st.integers(1, 40),
    st.integers(1, 200),
    st.floats(-200, 200, allow_subnormal=False),
    st.floats(0.01, 30, allow_subnormal=False),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_equals_naive(batch: int, pos: int, d_vocab: int, elements: int, shift: float, scale: float, seed: int) -> None:
    # A small piece size makes every way of cutting happen: several sequences, one, a part of one.
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, pos, d_vocab, generator=generator) * scale + shift
    tokens = torch.randint(0, d_vocab, (batch, pos), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logprobs, "_CPU_ELEMENTS", elements)
        found = target_statistics(logits, tokens)
    logprob, rank, entropy = naive(logits, tokens)
    torch.testing.assert_close(found.logprob.double(), logprob, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(found.entropy.double(), entropy, atol=2e-5, rtol=1e-5)
    assert torch.equal(found.rank, rank)
    assert torch.equal(found.correct, rank == 1)


def test_by_hand() -> None:
    # Probabilities 1/2, 1/4, 1/4 and then 1/8, 1/8, 3/4.
    logits = torch.tensor([[[2.0, 1.0, 1.0], [1.0, 1.0, 6.0], [0.0, 0.0, 0.0]]]).log()
    found = target_statistics(logits, torch.tensor([[0, 0, 2]]))
    assert found.logprob[0].tolist() == pytest.approx([-0.693147, -0.287682], abs=1e-5)
    assert found.entropy[0].tolist() == pytest.approx([1.039721, 0.735622], abs=1e-5)
    assert found.rank.tolist() == [[1, 1]]


def test_a_tie_counts_against_the_target() -> None:
    logits = torch.zeros(1, 2, 5)
    found = target_statistics(logits, torch.tensor([[0, 3]]))
    assert found.rank.tolist() == [[5]]
    assert not found.correct.any()


def test_bfloat16_is_widened() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(2, 9, 1000, generator=generator) * 4).bfloat16()
    tokens = torch.randint(0, 1000, (2, 9), generator=generator)
    found = target_statistics(logits, tokens)
    logprob, rank, entropy = naive(logits.float(), tokens)
    assert found.logprob.dtype == torch.float32
    torch.testing.assert_close(found.logprob.double(), logprob, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(found.entropy.double(), entropy, atol=2e-5, rtol=1e-5)
    assert torch.equal(found.rank, rank)


@pytest.mark.parametrize(
    ("entry", "value"),
    [(0, float("nan")), (7, float("nan")), (0, float("inf")), (7, float("inf")), (0, float("-inf"))]
    + [(slice(None), value) for value in (float("nan"), float("inf"), float("-inf"))],
)
def test_non_finite_logits_are_refused_by_place(entry: int | slice, value: float) -> None:
    logits = torch.randn(3, 5, 8)
    logits[1, 2, entry] = value
    with pytest.raises(RunFailed, match=r"1 of 12 predictions, first in sequence 1 of the batch at position 2"):
        target_statistics(logits, torch.zeros(3, 5, dtype=torch.long))


def test_masked_ids_are_impossible_and_no_failure() -> None:
    logits = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    masked = torch.cat([logits, torch.full((2, 3, 2), float("-inf"))], dim=-1)
    tokens = torch.tensor([[0, 1, 2], [3, 4, 5]])
    without, found = target_statistics(logits, tokens), target_statistics(masked, tokens)
    torch.testing.assert_close(found.entropy, without.entropy)
    torch.testing.assert_close(found.logprob, without.logprob)
    assert torch.equal(found.rank, without.rank)


def test_the_last_position_predicts_nothing() -> None:
    logits = torch.zeros(1, 3, 4)
    logits[0, 2] = float("nan")
    assert target_statistics(logits, torch.zeros(1, 3, dtype=torch.long)).logprob.shape == (1, 2)


def test_allocates_nothing_of_the_size_of_the_logits() -> None:
    logits = torch.randn(8, 21, 20_000)
    tokens = torch.randint(0, 20_000, (8, 21))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        target_statistics(logits, tokens)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert 0 < largest <= logprobs._CPU_ELEMENTS * 4 < logits.nbytes / 4
