"""Attribution to parts, and the path from previous-token heads to induction heads' keys, on tiny models."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.where_it_breaks.abilities import Abilities, find_abilities
from experiments.where_it_breaks.attribution import REST, FinalNorm, attribute
from experiments.where_it_breaks.bench import Bench, Chosen
from experiments.where_it_breaks.interventions import INTERVENTIONS
from experiments.where_it_breaks.passes import Pass, Sequences, read
from experiments.where_it_breaks.rows import End
from harness.glitch.copying.draws import Pairs
from harness.measure.heads import Head
from harness.models.bridge import BridgedModel, boot
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from tests.helpers import zoo

pytestmark = pytest.mark.integration

OWN, PARTNERS = np.arange(3, 7), np.arange(50, 54)
(PATH,) = (one for one in INTERVENTIONS if one.is_path_to_keys)
CHOSEN = Chosen((Head(0, 1), Head(0, 3)), (Head(1, 2), Head(1, 0)))


def sequences(ids: np.ndarray, is_own: bool) -> Sequences:
    """Two halves of four tokens: companions 20 to 23, each before one of the tokens."""
    halves = np.array([[20, ids[0], 21, ids[1]], [22, ids[2], 23, ids[3]]])
    return Sequences.of(Pairs(halves, np.array([1, 3]), np.ones((2, 2), dtype=bool)), ids, is_own, bos_id=1)


def booted(name: str, folder: Path) -> BridgedModel:
    (row,) = (row for row in zoo.ROWS if row.name == name)
    config = ModelConfig(name=str(zoo.save_model(row, folder / name)))
    return boot(resolve_identity(config), config)


@pytest.fixture(scope="module", params=["gpt2", "llama", "gpt_neox"])
def model(request, tmp_path_factory) -> Iterator[BridgedModel]:
    found = booted(request.param, tmp_path_factory.mktemp("models"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def abilities(model) -> Abilities:
    with torch.inference_mode():
        return find_abilities(model, sequences(OWN, is_own=True))


def bench(model: BridgedModel, abilities: Abilities, chosen: Chosen = CHOSEN) -> Bench:
    row = model.unembedding()[0]
    end = End(model.unembedding(), 1.0, row, row, 1.0, row[None])
    return Bench(model, abilities, chosen, end, end)


def test_parts_add_up_to_the_identity_effect(model, abilities):
    assert abilities.attributes
    one = sequences(OWN, is_own=True)
    found = attribute(model, abilities.parts, abilities.norm, one)
    assert found.shape == (8 + 2 + 1, 2, 2)
    expected = read(model.forward(one.tokens)[:, list(one.reads)], one).identity
    np.testing.assert_allclose(found.sum(axis=0), expected, atol=1e-4)
    assert (np.abs(found).max(axis=(1, 2)) > 1e-3).all(), "every part of this model writes something"


@torch.inference_mode()
def test_a_head_adds_what_it_writes_through_the_norm(model, abilities):
    one = sequences(OWN, is_own=True)
    layer, head = 1, 2
    last, output = abilities.parts.last, abilities.parts.outputs[layer]
    streams: list[torch.Tensor] = []
    model.forward(one.tokens, {last: lambda stream: streams.append(stream.clone())})
    weights = model.head_output_weights(layer)[head]
    outputs: list[torch.Tensor] = []
    model.forward(one.tokens, {output: lambda z: outputs.append(z[:, :, head].clone())})
    # By hand: the gain of transformers' own norm, the scale of the whole stream.
    whole, written = streams[0], outputs[0] @ weights
    centred = whole - whole.mean(-1, keepdim=True) if abilities.norm.is_centred else whole
    scale = centred.square().mean(-1, keepdim=True).sqrt()
    alone = written - written.mean(-1, keepdim=True) if abilities.norm.is_centred else written
    gain = next(p for n, p in model.backend.named_parameters() if n.endswith(FINAL_GAINS))
    logits = ((alone / scale * gain) @ model.unembedding().T)[:, list(one.reads)]
    found = attribute(model, abilities.parts, abilities.norm, one)
    by_part = dict(zip(abilities.parts.names, found, strict=True))
    np.testing.assert_allclose(by_part["L1H2"], read(logits, one).identity, atol=1e-4)


FINAL_GAINS = ("ln_f._original_component.weight", "model.norm._original_component.weight",
               "final_layer_norm._original_component.weight")  # fmt: skip


def test_heads_that_are_mixed_up_do_not_add_up(model, monkeypatch):
    right = model.head_output_weights
    monkeypatch.setattr(model, "head_output_weights", lambda layer: right(layer).flip(0))
    with torch.inference_mode():
        assert find_abilities(model, sequences(OWN, is_own=True)).parts is None


def test_models_that_normalise_what_is_written_are_not_attributed(tmp_path):
    model = booted("gemma2", tmp_path)
    with torch.inference_mode():
        found = find_abilities(model, sequences(OWN, is_own=True))
    assert not found.attributes
    model.close()


def test_the_final_norm_is_read_as_it_is():
    gain, bias = torch.tensor([2.0, -1.0, 0.5, 3.0]), torch.tensor([1.0, 0.0, 0.0, -1.0])
    norm = FinalNorm(gain, bias, is_centred=True)
    stream = torch.tensor([[1.0, 2.0, 3.0, 6.0]])
    assert norm.unscaled(stream).tolist() == [[-4.0, 1.0, 0.0, 9.0]]
    state = torch.tensor([[-4.0, 1.0, 0.0, 9.0]]) / 2 + bias
    assert norm.scale(stream, state).tolist() == [[2.0]]
    assert norm.makes(stream, state, 1e-6)
    assert not norm.makes(stream, state + torch.tensor([0.0, 0.0, 1.0, 0.0]), 1e-3)
    row = torch.tensor([[0.3, -2.0, 1.0, 0.7]])
    torch.testing.assert_close((norm.unscaled(stream) * row).sum(), (stream * norm.read_by(row)).sum())


def passes(model: BridgedModel, abilities: Abilities, chosen: Chosen = CHOSEN) -> tuple[Bench, Pass, Pass]:
    of = bench(model, abilities, chosen)
    return of, of.base(sequences(OWN, is_own=True)), of.base(sequences(PARTNERS, is_own=False))


# TransformerLens shows turned keys of these two alone.
@pytest.mark.parametrize("model", ["gpt2", "llama"], indirect=True)
@torch.inference_mode()
def test_keys_alone_read_the_other_runs_previous_token_heads(model, abilities):
    # With every head of the first layer chosen they write that layer's whole output, which is known without weights.
    every = Chosen(tuple(Head(0, head) for head in range(4)), (Head(1, 2),))
    of, own, partner = passes(model, abilities, every)
    edits = of.path_to_keys(own, partner)
    assert list(edits) == [abilities.patterns[1]]
    found = edits[abilities.patterns[1]](own.kept[abilities.patterns[1]])
    written = [seen(model, whole.sequences, "blocks.0.hook_attn_out") for whole in (own, partner)]
    stream = own.kept[abilities.residual[1]] + written[1] - written[0]
    rotary = "blocks.1.attn.hook_rot_k" in model.hook_names
    queries, keys = ("hook_rot_q", "hook_rot_k") if rotary else ("hook_q", "hook_k")
    query = seen(model, own.sequences, f"blocks.1.attn.{queries}")
    key = seen(model, own.sequences, f"blocks.1.attn.{keys}", {abilities.residual[1]: lambda _: stream})
    head_axis = 2 if query.shape[2] == 4 else 1
    query, key = (one if head_axis == 2 else one.transpose(1, 2) for one in (query, key))
    key = key.repeat_interleave(4 // key.shape[2], dim=2)
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[-1] ** 0.5
    n = scores.shape[-1]
    hidden = torch.ones(n, n, dtype=torch.bool).triu(1)
    expected = scores.masked_fill(hidden, float("-inf")).softmax(-1)
    before = own.kept[abilities.patterns[1]]
    assert (expected[:, 2] - before[:, 2]).abs().max() > 1e-3
    torch.testing.assert_close(found[:, 2], expected[:, 2], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found[:, [0, 1, 3]], before[:, [0, 1, 3]])


def seen(model: BridgedModel, one: Sequences, hook: str, edits=None) -> torch.Tensor:
    found: list[torch.Tensor] = []
    model.forward(one.tokens, {hook: lambda activation: found.append(activation.clone())}, edits or {})
    return found[0]


@torch.inference_mode()
def test_a_run_that_is_its_own_partner_is_not_changed_by_the_path(model, abilities):
    of, own, partner = passes(model, abilities)
    plain = read(own.logits, own.sequences)
    np.testing.assert_allclose(of.read_changed(PATH, own, own).identity, plain.identity, atol=1e-5)
    assert np.abs(of.read_changed(PATH, own, partner).identity - plain.identity).max() > 1e-4


@torch.inference_mode()
def test_a_path_leads_from_layers_before(model, abilities):
    for chosen in (Chosen((Head(1, 0),), (Head(1, 2),)), Chosen((Head(1, 0),), (Head(0, 2),)), Chosen()):
        assert not bench(model, abilities, chosen).applies(PATH)
    assert bench(model, abilities).applies(PATH)
    assert not bench(model, replace(abilities, keys={})).applies(PATH)
    # Only the induction head that it can reach is changed.
    of, own, partner = passes(model, abilities, Chosen((Head(0, 1),), (Head(0, 2), Head(1, 0))))
    assert list(of.path_to_keys(own, partner)) == [abilities.patterns[1]]


def test_the_rest_is_named_last(abilities):
    assert abilities.parts.names == (*(f"L{n}H{h}" for n in range(2) for h in range(4)), "mlp0", "mlp1", REST)
