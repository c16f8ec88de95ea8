"""Ways of answering: inputs, labels and added losses against small cases worked out by hand."""

import math

import pytest
import torch
from torch import nn

from harness.errors import Rejected
from harness.path_star.codec import NumeralCodec
from harness.path_star.graphs import StarTask
from harness.path_star.ways.batch import IGNORED, Batch
from harness.path_star.ways.roster import WAYS
from harness.path_star.ways.settings import ObjectiveSettings
from harness.path_star.ways.token_by_token import TokenByToken
from harness.path_star.ways.token_order import closeness
from harness.path_star.ways.way import ModelSizes, Trunk, Way
from harness.runs.config.typed import to_dataclass

pytestmark = pytest.mark.unit

SIZES = ModelSizes(d_model=4, n_heads=2, vocab_size=9)
# Node numbers 0 to 4, `|` 5, `=` 6, `/` 7, and the dummy 8.
CODEC = NumeralCodec(StarTask(2, 3, 5), has_signs=True)
# Prompt 5 6 7, answer 1 2 3; and a row that is one token shorter in the prompt, padded with 7.
BATCH = Batch(
    tokens=torch.tensor([[5, 6, 7, 1, 2, 3], [5, 7, 4, 2, 1, 7]]),
    prompt_length=torch.tensor([3, 2]),
    length=torch.tensor([6, 5]),
    first_start=torch.tensor([4, 3]),
    first_stop=torch.tensor([5, 4]),
)
FIRST_ROW = Batch(
    BATCH.tokens[:1], BATCH.prompt_length[:1], BATCH.length[:1], BATCH.first_start[:1], BATCH.first_stop[:1]
)
X = IGNORED


def made(name: str, settings: ObjectiveSettings | None = None) -> Way:
    return WAYS[name](CODEC, settings or ObjectiveSettings())


def next_token(name: str, settings: ObjectiveSettings | None = None) -> TokenByToken:
    way = made(name, settings)
    assert isinstance(way, TokenByToken)
    return way


def modules(way: Way) -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(way.modules(SIZES))


def test_every_way_is_known_by_its_name() -> None:
    assert [way.name for way in WAYS.values()] == list(WAYS)
    assert len({way.label for way in WAYS.values()}) == len(WAYS)


@pytest.mark.parametrize("name", ["teacher_forcing", "reversed", "token_order"])
def test_the_truth_goes_in_and_only_the_answer_is_asked(name: str) -> None:
    way = next_token(name)
    assert way.inputs(BATCH).equal(BATCH.tokens)
    assert way.labels(BATCH).tolist() == [[X, X, 1, 2, 3, X], [X, 4, 2, 1, X, X]]


def test_teacherless_reads_dummies_for_the_answer_and_is_asked_the_same() -> None:
    way = next_token("teacherless")
    assert way.inputs(BATCH).tolist() == [[5, 6, 7, 8, 8, 8], [5, 7, 8, 8, 8, 7]]
    assert way.labels(BATCH).tolist() == [[X, X, 1, 2, 3, X], [X, 4, 2, 1, X, X]]


def test_first_only_asks_the_second_node_alone() -> None:
    assert next_token("first_only").labels(BATCH).tolist() == [[X, X, X, 2, X, X], [X, X, 2, X, X, X]]


def test_closeness_falls_with_distance_and_ends_with_the_row() -> None:
    targets = closeness(BATCH, SIZES.vocab_size)
    # From the prompt's last token 1, 2, 3 are 1, 2, 3 away in a window of 6.
    assert {token: targets[0, 2, token].item() for token in (1, 2, 3)} == {1: 5.0, 2: 4.0, 3: 3.0}
    absent = [token for token in range(9) if token not in (1, 2, 3)]
    assert bool(torch.isinf(targets[0, 2, absent]).all())
    # The question, too, looks ahead to the answer, as far as the answer is long; prompt tokens to come do not count.
    assert targets[0, 1].isfinite().nonzero().flatten().tolist() == [1, 2]
    assert targets[0, 0].isfinite().nonzero().flatten().tolist() == [1]
    # In the second row the padding after the answer never counts.
    assert targets[1, 1].isfinite().nonzero().flatten().tolist() == [1, 2, 4]


def test_of_two_occurrences_the_nearer_one_counts() -> None:
    tokens = torch.tensor([[0, 1, 2, 1]])
    ends = torch.tensor([4])
    batch = Batch(tokens, torch.tensor([1]), ends, torch.tensor([2]), torch.tensor([3]))
    assert closeness(batch, SIZES.vocab_size)[0, 0, 1].item() == 3.0


def test_the_order_loss_is_the_cross_entropy_of_two_softmaxes() -> None:
    way = made("token_order")
    own = modules(way)
    nn.init.zeros_(own["order"].weight)
    # Scores all alike: every position costs log(vocabulary), whatever the targets.
    loss = way.added_loss(own, trunk(torch.randn(2, 6, 4)), BATCH)
    assert loss.item() == pytest.approx(math.log(9), rel=1e-6)


def trunk(hidden: torch.Tensor) -> Trunk:
    torch.manual_seed(1)
    return Trunk(hidden, nn.Embedding(9, 4), nn.Linear(4, 9, bias=False))


def test_multi_token_labels_are_the_tokens_further_on() -> None:
    way = made("multi_token", ObjectiveSettings(horizon=2))
    own = modules(way)
    hidden = torch.randn(2, 6, 4)
    base = way.added_loss(own, trunk(hidden), BATCH)
    assert base is not None
    # Every node of the answer is somebody's second next, the first one that of the prompt's last token but one; the
    # prompt's own tokens are predicted nowhere.
    for column, is_asked in ((1, False), (2, False), (3, True), (4, True), (5, True)):
        other = BATCH.tokens.clone()
        other[0, column] = 0
        assert bool(way.added_loss(own, trunk(hidden), replaced(other)) != base) is is_asked
    # Nothing lies that far ahead of anything.
    far = made("multi_token", ObjectiveSettings(horizon=9))
    assert far.added_loss(modules(far), trunk(hidden), BATCH).isfinite()


def replaced(tokens: torch.Tensor) -> Batch:
    return Batch(tokens, BATCH.prompt_length, BATCH.length, BATCH.first_start, BATCH.first_stop)


def test_next_latent_costs_nothing_where_the_steps_are_right() -> None:
    way = made("next_latent", ObjectiveSettings(horizon=2))
    own = modules(way)
    for parameter in own["network"].parameters():
        nn.init.zeros_(parameter)
    # A network of zeros says that nothing changes; hidden states that are all the same prove it right.
    still = torch.randn(1, 1, 4).expand(2, 6, 4).contiguous()
    assert way.added_loss(own, trunk(still), BATCH).item() == pytest.approx(0.0, abs=1e-6)
    assert way.added_loss(own, trunk(torch.randn(2, 6, 4)), BATCH).item() > 0.01


def test_next_latent_sends_no_gradient_into_what_it_is_held_to() -> None:
    way = made("next_latent", ObjectiveSettings(horizon=1))
    hidden = torch.randn(2, 6, 4, requires_grad=True)
    parts = trunk(hidden)
    way.added_loss(modules(way), parts, BATCH).backward()
    assert parts.unembedding.weight.grad is None
    assert hidden.grad is not None
    # The last state of the first row is only ever a target.
    assert hidden.grad[0, 5].abs().sum().item() == 0
    assert hidden.grad[0, 3].abs().sum().item() > 0


@pytest.mark.parametrize(("field", "value"), [("horizon", 0), ("added_weight", 0.0), ("order_temperature", -1.0)])
def test_impossible_settings_are_refused(field: str, value: float) -> None:
    with pytest.raises(Rejected, match=f"^{field}: got"):
        to_dataclass(ObjectiveSettings, {field: value})


def test_masked_targets_hide_a_share_of_the_answer_and_nothing_else() -> None:
    everything = next_token("masked_targets", ObjectiveSettings(mask_share=1.0))
    assert everything.inputs(BATCH).tolist() == [[5, 6, 7, 8, 8, 8], [5, 7, 8, 8, 8, 7]]
    nothing = next_token("masked_targets", ObjectiveSettings(mask_share=0.0))
    assert nothing.inputs(BATCH).equal(BATCH.tokens)
    drawn = next_token("masked_targets")
    shares = torch.stack([(drawn.inputs(BATCH) == 8).float().mean(dim=0) for _ in range(500)]).mean(dim=0)
    assert shares[:2].tolist() == [0, 0]
    # A share drawn uniformly hides half of the answer's tokens on average.
    assert shares[3:5].sub(0.5).abs().max() < 0.08
    assert drawn.labels(BATCH).tolist() == [[X, X, 1, 2, 3, X], [X, 4, 2, 1, X, X]]


def test_either_end_writes_a_sign_and_the_nodes_from_that_end() -> None:
    way = made("either_end")
    seen = set()
    for _ in range(40):
        inputs, labels = way.arrange(FIRST_ROW)
        seen.add((tuple(inputs[0].tolist()), tuple(labels[0].tolist())))
    assert seen == {
        ((5, 6, 7, 9, 1, 2, 3), (X, X, X, 1, 2, 3, X)),
        ((5, 6, 7, 10, 3, 2, 1), (X, X, X, 3, 2, 1, X)),
    }


def test_masked_diffusion_asks_for_the_hidden_nodes_alone() -> None:
    way = made("masked_diffusion")
    path, dummy, hidden_counts = (1, 2, 3), 8, []
    for _ in range(300):
        inputs, labels = (part[0].tolist() for part in way.arrange(FIRST_ROW))
        assert inputs[:3] == [5, 6, 7] and inputs[6:] == [dummy] * 3
        assert labels[:6] == [X] * 6
        for read, asked, node in zip(inputs[3:6], labels[6:], path, strict=True):
            assert (read, asked) in {(dummy, node), (node, X)}
        hidden_counts.append(inputs[3:6].count(dummy))
    # One, two or all three are hidden, each as often.
    assert min(hidden_counts) == 1
    shares = [hidden_counts.count(n) / 300 for n in (1, 2, 3)]
    assert max(abs(share - 1 / 3) for share in shares) < 0.1


def test_a_scratchpad_is_the_answer_backwards_and_is_asked_for_too() -> None:
    way = made("scratchpad")
    inputs, labels = way.arrange(FIRST_ROW)
    assert inputs.tolist() == [[5, 6, 7, 3, 2, 1, 1, 2, 3]]
    assert labels.tolist() == [[X, X, 3, 2, 1, 1, 2, 3, X]]
