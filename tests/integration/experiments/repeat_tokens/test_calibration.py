"""How often two random halves of one pool are called different: about one time in twenty, as a test at 5 % promises.

On pocket, whose tokens of 17 to 64 exposures differ most from one another in how well they are copied. A half holds 6
of the pool's tokens among 19 companions, as by default. Where it is made of the pool's own (20 of 25,
`exp.own_share=1`) they also help or hinder one another's copies in every sequence, which nothing measured within the
pool shows: there the test cries wolf too often, and this says how often.
"""

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int

from experiments.repeat_tokens.quantities import QUANTITIES, Observed
from harness.measure.logprobs import target_statistics
from harness.models.bridge import boot
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.loaded import LoadedModel
from harness.models.vocab_facts import VocabFacts
from harness.tokens.repeats import RepeatedTokens, draw_pairs

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SEQ_LEN, N_SEQUENCES, N_SPLITS = 25, 32, 200
COPY_EFFECT = next(quantity for quantity in QUANTITIES if quantity.name == "copy_effect")


@pytest.fixture(scope="module")
def pocket() -> tuple[LoadedModel, VocabFacts]:
    config = ModelConfig(device="cpu")
    identity = resolve_identity(config)
    return boot(identity, config), load_facts(identity, config)


def second_half(model: LoadedModel, tokens: Int[np.ndarray, "sequence pos"]) -> Float[np.ndarray, "sequence index"]:
    ids = torch.from_numpy(tokens)
    logits = model.forward(ids)
    return target_statistics(logits[:, -SEQ_LEN - 1 :], ids[:, -SEQ_LEN - 1 :]).logprob.numpy()


def observed(model: LoadedModel, drawn: RepeatedTokens) -> Observed:
    """What the copy effect needs; the rest is not looked at."""
    assert drawn.control is not None
    own, control = second_half(model, drawn.tokens), second_half(model, drawn.control)
    whole = np.concatenate([np.full_like(own, np.nan), own], axis=1)
    return Observed(whole, whole, whole, whole, control, control, own, own, drawn.own, drawn.halves, drawn.pair)


OFTEN = pytest.mark.xfail(strict=True, reason="18 and 28 of 200 below 0.05: a pool's tokens disturb one another")


@pytest.mark.parametrize(
    ("size", "n_own", "low", "high"),
    [
        (13, 6, 17, 65),
        (13, 6, 1000, 10**9),
        (40, 6, 17, 65),
        (40, 6, 1000, 10**9),
        pytest.param(40, 20, 17, 65, marks=OFTEN),
        pytest.param(40, 20, 1000, 10**9, marks=OFTEN),
    ],
)
def test_two_halves_of_one_pool_differ_one_time_in_twenty(
    pocket: tuple[LoadedModel, VocabFacts], size: int, n_own: int, low: int, high: int
) -> None:
    model, facts = pocket
    assert facts.exposures is not None
    counts = facts.exposures.total
    rng = np.random.default_rng(size)
    pool = rng.choice(np.flatnonzero((counts >= low) & (counts < high)), 2 * size, replace=False)
    company = rng.choice(np.flatnonzero(counts >= 1000), 256, replace=False).tolist()
    below = 0
    for split in range(N_SPLITS):
        shuffled = rng.permutation(pool)
        halves = [
            observed(
                model,
                draw_pairs(
                    [(int(token),) for token in sorted(part)], n_own, company, SEQ_LEN, N_SEQUENCES, split, name,
                    facts.bos_id,
                ),
            )
            for name, part in (("a", shuffled[:size]), ("b", shuffled[size:]))
        ]  # fmt: skip
        found = COPY_EFFECT.difference(*halves)
        assert found is not None and found[1] is not None
        below += found[1] < 0.05
    assert 0.02 <= below / N_SPLITS <= 0.08
