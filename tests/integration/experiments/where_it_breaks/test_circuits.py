"""Attribution to parts, the path from previous-token to induction heads, and heads' circuits, on tiny models."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from experiments.where_it_breaks.abilities import Abilities, find_abilities
from experiments.where_it_breaks.attribution import REST, FinalNorm, attribute
from experiments.where_it_breaks.bench import Bench, Chosen
from experiments.where_it_breaks.circuits import Circuits, Ranked
from experiments.where_it_breaks.interventions import INTERVENTIONS
from experiments.where_it_breaks.passes import FINAL, Pass, Sequences, read
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


def test_ranks_count_ties_half_and_heights_are_of_the_spread():
    scores = np.array([[3.0, 1.0, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0]])
    found = Ranked.of(scores, np.array([0, 2, 3]))
    assert found.rank.tolist() == [1.5, 2.5, 1.0]
    assert found.is_first.tolist() == [0.0, 0.0, 1.0]
    np.testing.assert_allclose(found.z_score, [1.0, 0.0, 1.5 / 1.25**0.5])


CANDIDATES = np.array([3, 5, 8, 13, 21, 34, 55])
SOME = np.array([5, 21, 34])


def weights_of(name: str, folder: Path) -> dict[str, torch.Tensor]:
    """As transformers stores them."""
    (row,) = (row for row in zoo.ROWS if row.name == name)
    return load_file(zoo.save_model(row, folder) / "model.safetensors")


def layer_norm(rows: torch.Tensor, weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    gain, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return torch.nn.functional.layer_norm(rows, rows.shape[-1:], gain, bias, eps=1e-5)


def rms_norm(rows: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return rows / (rows.square().mean(-1, keepdim=True) + 1e-6).sqrt() * gain


def gpt2_map(rows: torch.Tensor, weights: dict[str, torch.Tensor], layer: int, which: int, head: int) -> torch.Tensor:
    """Queries (0), keys (1) or values (2) of one of four heads, each four wide."""
    name, columns = f"transformer.h.{layer}.attn.c_attn", 16 * which + 4 * head + torch.arange(4)
    inside = layer_norm(rows, weights, f"transformer.h.{layer}.ln_1")
    return inside @ weights[f"{name}.weight"][:, columns] + weights[f"{name}.bias"][columns]


def same(found: Ranked, scores: torch.Tensor) -> None:
    expected = Ranked.of(scores.numpy(), np.searchsorted(CANDIDATES, SOME))
    np.testing.assert_array_equal(found.rank, expected.rank)
    np.testing.assert_allclose(found.z_score, expected.z_score, atol=1e-3)


@pytest.mark.parametrize("model", ["gpt2"], indirect=True)
@torch.inference_mode()
def test_circuits_of_gpt2_are_those_of_its_weights(model, abilities, tmp_path):
    circuits, weights = Circuits(model, abilities, CHOSEN), weights_of("gpt2", tmp_path)
    table = weights["transformer.wte.weight"]
    out = weights["transformer.h.1.attn.c_proj.weight"][8:12]
    written = gpt2_map(table[SOME], weights, 1, 2, 2) @ out
    logits = layer_norm(written, weights, "transformer.ln_f") @ table.T
    same(circuits.copies(Head(1, 2), SOME, CANDIDATES), logits[:, CANDIDATES])
    moved = gpt2_map(table[CANDIDATES], weights, 0, 2, 3) @ weights["transformer.h.0.attn.c_proj.weight"][12:16]
    scores = gpt2_map(table[SOME], weights, 1, 0, 2) @ gpt2_map(moved, weights, 1, 1, 2).T
    same(circuits.matches(Head(0, 3), Head(1, 2), SOME, CANDIDATES), scores)


@pytest.mark.parametrize("model", ["llama"], indirect=True)
@torch.inference_mode()
def test_grouped_values_and_root_mean_square_norms_are_the_models_own(model, abilities, tmp_path):
    weights = weights_of("llama", tmp_path)
    layer = "model.layers.1"
    rows = rms_norm(weights["model.embed_tokens.weight"][SOME], weights[f"{layer}.input_layernorm.weight"])
    # Heads 2 and 3 share the second group of values.
    values = rows @ weights[f"{layer}.self_attn.v_proj.weight"][4:8].T
    written = values @ weights[f"{layer}.self_attn.o_proj.weight"][:, 8:12].T
    logits = rms_norm(written, weights["model.norm.weight"]) @ weights["lm_head.weight"].T
    found = Circuits(model, abilities, CHOSEN)
    same(found.copies(Head(1, 2), SOME, CANDIDATES), logits[:, CANDIDATES])
    assert found.copying == CHOSEN.induction


@torch.inference_mode()
def test_positions_in_scores_leave_matching_to_the_run(model, abilities):
    has_rotary = "blocks.1.attn.hook_rot_k" in model.hook_names
    assert (abilities.queries == {}) == has_rotary
    expected = [] if has_rotary else [(a, b) for b in CHOSEN.induction for a in CHOSEN.previous]
    assert list(Circuits(model, abilities, CHOSEN).matching) == expected


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("name", ["bloom", "mistral", "qwen3", "mpt", "gemma"])
def test_other_ways_of_telling_positions_leave_it_to_the_run_too(name, tmp_path):
    model = booted(name, tmp_path)
    assert find_abilities(model, sequences(OWN, is_own=True)).queries == {}
    model.close()


@torch.inference_mode()
def test_a_head_that_copies_some_tokens_only_is_found(tmp_path):
    model = booted("llama", tmp_path)
    able = find_abilities(model, sequences(OWN, is_own=True))
    circuits = Circuits(model, able, CHOSEN)
    written = circuits.written(Head(1, 2), circuits.rows(np.arange(64)))
    states: list[torch.Tensor] = []
    put = {able.residual[-1]: lambda _: written[:, None].clone()}
    model.forward(torch.zeros(64, 1, dtype=torch.long), {FINAL: lambda state: states.append(state[:, 0].clone())}, put)
    # Rows of equal length along what the head makes of each token: none is nearer to it than its own.
    rows = torch.nn.functional.normalize(states[0], dim=1)
    rows[SOME] *= -1
    model.unembedding().copy_(rows)
    others = np.setdiff1d(CANDIDATES, SOME)
    assert (circuits.copies(Head(1, 2), others, CANDIDATES).rank == 1).all()
    assert (circuits.copies(Head(1, 2), SOME, CANDIDATES).rank == len(CANDIDATES)).all()
    model.close()
