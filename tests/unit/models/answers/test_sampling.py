import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.models.answers.sampling import Cutoff, NoRepeatedNgrams, Sampled, cut_off

pytestmark = pytest.mark.unit


def test_cut_off_by_hand():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    kept, order = cut_off(logits, Cutoff(top_k=3, top_p=0.8))
    # The three likeliest renormalised: .526, .316, .158; the second crosses 0.8, the third is cut.
    assert order.tolist() == [[0, 1, 2]]
    assert kept[0].tolist() == pytest.approx([0.625, 0.375, 0.0])


def test_cut_off_is_that_of_transformers():
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    logits = torch.randn(16, 40, generator=torch.Generator().manual_seed(0)) * 3
    warped = logits
    for warper in (TemperatureLogitsWarper(0.7), TopKLogitsWarper(12), TopPLogitsWarper(0.9)):
        warped = warper(None, warped)
    kept, order = cut_off(logits, Cutoff(12, 0.9, 0.7))
    spread = torch.zeros_like(logits).scatter(1, order, kept)
    torch.testing.assert_close(spread, warped.softmax(-1), atol=1e-6, rtol=1e-5)


def test_draws_follow_the_probabilities():
    n = 4000
    logits = torch.tensor([0.6, 0.3, 0.1]).log().expand(n, -1)
    drawn = Sampled(Cutoff(0, 1.0), [(1, row) for row in range(n)], 1)(torch.arange(n), logits, 0)
    shares = torch.bincount(drawn, minlength=3) / n
    assert shares.tolist() == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


@given(st.lists(st.integers(0, 5), min_size=0, max_size=8), st.integers(2, 3))
def test_bans_exactly_what_would_complete_an_ngram_said_before(context, n):
    vocabulary = 6
    offered = []

    def choose(rows, logits, step):
        offered.append({i for i in range(vocabulary) if logits[0, i] > float("-inf")})
        return logits.argmax(-1)

    ban = NoRepeatedNgrams(choose, n, [context])
    history = list(context)
    for step in range(5):
        logits = torch.arange(vocabulary, dtype=torch.float).flip(0)[None]
        before = {tuple(history[i : i + n]) for i in range(len(history) - n + 1)}
        ending = tuple(history[len(history) - n + 1 :]) if len(history) >= n - 1 else None
        allowed = {i for i in range(vocabulary) if ending is None or (*ending, i) not in before}
        token = int(ban(torch.tensor([0]), logits, step)[0])
        assert offered[-1] == allowed
        history.append(token)
