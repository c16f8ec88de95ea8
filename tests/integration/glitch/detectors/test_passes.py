"""Entropy, its gradient and activations on a tiny GPT-2, each against a plain computation of its own."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.glitch.census.questions import make_question
from harness.glitch.detectors.glitchminer import GlitchMiner
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.detectors.passes import ModelPasses
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.view import ModelView
from harness.models.answers.causal_model import CausalModel
from harness.models.bridge import boot
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from harness.tokens.prompts import TEMPLATES, Task
from tests.helpers.scripted_census import write_model

pytestmark = pytest.mark.integration

IDS = [65, 70, 260, 3]
WHOLE = (0.0, 1.0)
"""Every layer."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A one-layer GPT-2 whose weights are large enough to tell tokens apart, and passes through it."""
    folder = write_model(tmp_path_factory.mktemp("tiny"))
    config = ModelConfig(name=str(folder), device="cpu")
    identity = resolve_identity(config)
    tokenizer = load_tokenizer(identity, config)
    facts = load_facts(identity, config, None, tokenizer)
    model = CausalModel.load(identity, config)
    with torch.no_grad():
        for name, parameter in model.backend.named_parameters():
            if parameter.ndim == 2 and "wte" not in name:
                parameter.mul_(4)
    # Borrows the weights as they are now.
    hooked = boot(identity, config)
    mining, repetition = (
        make_question(TEMPLATES[task], tokenizer, facts) for task in (Task.GLITCHMINER, Task.REPETITION)
    )
    passes = ModelPasses(model, lambda: hooked, tokenizer, mining, repetition)
    return SimpleNamespace(
        model=model,
        hooked=hooked,
        tokenizer=tokenizer,
        mining=mining,
        repetition=repetition,
        passes=passes,
        facts=facts,
    )


def prompt(tiny, question, token):
    return torch.tensor([question.prompt(token, tiny.tokenizer)])


def from_the_token_on(tiny, question):
    """Positions of a prompt without what all tokens' prompts begin with."""
    one, other = prompt(tiny, question, 65)[0].tolist(), prompt(tiny, question, 66)[0].tolist()
    return len(one) - next(place for place, ids in enumerate(zip(one, other, strict=True)) if len(set(ids)) > 1)


def entropy_at(tiny, rows):
    with torch.no_grad():
        logits = tiny.model.backend(inputs_embeds=rows).logits[0, -1].double()
    probability = logits.softmax(-1)
    return float(-(probability * (probability + 1e-6).log()).sum())


def test_entropy_and_verdict_are_those_of_each_prompt_alone(tiny):
    found = tiny.passes.uncertainty(IDS)
    for place, token in enumerate(IDS):
        tokens = prompt(tiny, tiny.mining, token)
        rows = tiny.model.embedding()[tokens]
        assert found.entropy[place] == pytest.approx(entropy_at(tiny, rows), abs=1e-5)
        assert found.predicts_token[place] == (int(tiny.model.logits(tokens)[0, -1].argmax()) == token)
    assert found.n_positions == len(IDS) * from_the_token_on(tiny, tiny.mining)
    assert len(set(found.entropy.tolist())) == len(IDS)


def test_the_gradient_is_the_slope_of_the_entropy(tiny):
    found = tiny.passes.entropy_gradient(65)
    tokens = prompt(tiny, tiny.mining, 65)
    slot = tiny.mining.prompt(-1, tiny.tokenizer).index(-1)
    assert tokens[0, slot] == 65
    rows = tiny.model.embedding()[tokens].clone()
    assert found.entropy == pytest.approx(entropy_at(tiny, rows), abs=1e-5)
    direction = torch.from_numpy(found.gradient)
    assert direction.norm() > 0
    step = 1e-2 * direction / direction.norm()
    ends = []
    for sign in (1, -1):
        moved = rows.clone()
        moved[0, slot] += sign * step
        ends.append(entropy_at(tiny, moved))
    assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(float(direction.norm()), rel=0.05)


def test_activations_are_those_of_the_last_position(tiny):
    found = tiny.passes.activations(IDS, WHOLE)
    tokens = prompt(tiny, tiny.repetition, IDS[2])
    kept = {}
    tiny.hooked.forward(
        tokens,
        {
            "blocks.0.attn.hook_pattern": lambda value: kept.update(pattern=value.clone()),
            "blocks.0.mlp.hook_post": lambda value: kept.update(hidden=value.clone()),
        },
    )
    expected = np.concatenate([kept["pattern"][0, :, -1].flatten().numpy(), kept["hidden"][0, -1].numpy()])
    assert found.values[2] == pytest.approx(expected, abs=1e-5)
    assert found.values.shape == (len(IDS), 2 * tokens.shape[1] + 4 * 16)
    assert found.n_positions == len(IDS) * from_the_token_on(tiny, tiny.repetition)


def test_the_lengths_are_those_of_the_prompts_and_what_passes_charge(tiny):
    passes = tiny.passes
    assert passes.mining_length == from_the_token_on(tiny, tiny.mining)
    assert passes.activation_length == from_the_token_on(tiny, tiny.repetition)
    assert passes.uncertainty(IDS).n_positions == len(IDS) * passes.mining_length
    assert passes.entropy_gradient(65).n_positions == passes.mining_length
    assert passes.activations(IDS, WHOLE).n_positions == len(IDS) * passes.activation_length
    assert passes.uncertainty([]).n_positions == 0


def test_activations_are_shared_only_where_a_query_begins_with_that_prompt(tiny):
    given = tiny.model, lambda: tiny.hooked, tiny.tokenizer, tiny.mining, tiny.repetition
    assert ModelPasses(*given, True).shares_activations
    assert not ModelPasses(*given, False).shares_activations


def test_both_detectors_run_on_a_real_model(tiny):
    """Truth made of what each of them looks at: the miner's own verdicts, a direction in the activations."""
    n = 256
    rows = tiny.model.embedding().numpy()
    view = ModelView(
        ids=np.arange(n), embedding=rows, unembedding=rows, is_tied=True, texts=("x",) * len(rows), passes=tiny.passes
    )
    said = ~tiny.passes.uncertainty(list(range(n))).predicts_token
    length = tiny.passes.mining_length
    (mined,) = GlitchMiner().detect(view, lambda: TableOracle({}), [50 * length], 0)
    assert mined.fails.tolist() == said[mined.asked].tolist()
    assert mined.spent == mined.spent_on_passes == 50 * length
    assert len(mined.asked) == 44, "five batches of eight and one of four, with a gradient each"
    values = tiny.passes.activations(list(range(n)), WHOLE).values
    hidden = values - values.mean(axis=0)
    principal = hidden @ np.linalg.svd(hidden, full_matrices=False)[2][0]
    truth = principal > np.quantile(principal, 0.7)
    length = tiny.passes.activation_length
    view = replace(view, price=QueryPrice(float(length), 2 * length))

    def opened():
        verdicts = dict(enumerate(truth.tolist()))
        return TableOracle(verdicts, tokens_per_query={i: (1 + fails) * length for i, fails in verdicts.items()})

    budget = 500 * length
    (probed,) = GlitchProber(first_layer=0.0, last_layer=1.0).detect(view, opened, [budget], 0)
    predicted = np.isin(np.arange(n), probed.predicted)
    assert (predicted == truth).mean() > 0.85
    assert probed.spent_on_passes == (n - len(probed.asked)) * length
    assert len(probed.asked) < n
    assert probed.spent <= budget


def test_prompts_that_do_not_fit_are_known_beforehand(tiny):
    narrow = CausalModel(tiny.model.backend, n_ctx=8)
    passes = ModelPasses(narrow, lambda: tiny.hooked, tiny.tokenizer, tiny.mining, tiny.repetition)
    assert not passes.can_measure_uncertainty
    assert not passes.can_read_activations(WHOLE)
    assert tiny.passes.can_measure_uncertainty
    assert tiny.passes.can_read_activations(WHOLE)
