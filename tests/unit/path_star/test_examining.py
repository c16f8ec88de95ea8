"""The cheat tests and the edge-lookup scores, on models whose behaviour is written down here."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from experiments.path_star.config import PathStarConfig
from experiments.path_star.knock_out import measure_knock_out
from experiments.path_star.lookup import edge_places
from experiments.path_star.lookup import measure_lookup as measure_heads
from experiments.path_star.measure import Subject, _answers, _metrics, wrong_arm_rows
from harness.models.loaded import NO_EDITS, NO_REDUCERS, LoadedModel, ModelStructure
from harness.path_star._files import read_graphs
from harness.path_star.codec import NumeralCodec
from harness.path_star.graphs import StarGraphs, StarTask, draw_graphs
from harness.path_star.material import encode
from harness.runs._subject import Subject as NoSubject
from harness.runs.config.schema import RunConfig
from harness.runs.context import Run
from harness.runs.folder import RunFolder

pytestmark = pytest.mark.unit

TASK = StarTask(3, 5, 20)


class Follower(LoadedModel):
    """Walks edges: after a node comes its child as listed, after `=` the start; at the arm's end it may name the goal.

    Where the start's child is asked for, it takes the child listed first: it cannot plan.
    """

    def __init__(self, codec: NumeralCodec, names_goal: bool) -> None:
        self.codec, self.names_goal = codec, names_goal

    @property
    def structure(self) -> ModelStructure:
        return ModelStructure((), 1, 1, 4, self.codec.vocab_size, None)

    @property
    def fingerprint(self) -> str:
        return "follower"

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def forward(
        self,
        tokens: Tensor,
        reducers: Mapping[str, Callable[[Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[Tensor], Tensor]] = NO_EDITS,
    ) -> Tensor:
        del reducers, edits
        said = torch.zeros_like(tokens)
        n_edges = self.codec.task.n_edges
        prompt = 3 * n_edges + 3
        for row, ids in enumerate(tokens.tolist()):
            children: dict[int, int] = {}
            for edge in range(n_edges):
                children.setdefault(ids[3 * edge], ids[3 * edge + 1])
            start, goal = ids[prompt - 3], ids[prompt - 2]
            for pos in range(prompt - 1, len(ids)):
                if pos == prompt - 1:
                    said[row, pos] = start
                elif self.names_goal and pos == prompt + self.codec.task.path_length - 2:
                    said[row, pos] = goal
                else:
                    said[row, pos] = children.get(ids[pos], 0)
        return torch.nn.functional.one_hot(said, self.codec.vocab_size).float()

    def embedding(self) -> Tensor:
        raise NotImplementedError

    def unembedding(self) -> Tensor:
        raise NotImplementedError

    def close(self) -> None: ...


def subject_of(model: Any, codec: NumeralCodec, objective: str, graphs: StarGraphs) -> Subject:
    exp = PathStarConfig(graph="3x5", n_values=20, objective=objective, n_lookup=8, n_top_heads=2)
    return Subject(exp, graphs, encode(graphs, codec, exp.way.is_reversed), codec, model)


@pytest.mark.parametrize("names_goal", [True, False])
def test_an_edge_follower_shows_the_cheat_and_nothing_else(names_goal: bool) -> None:
    codec = NumeralCodec(TASK)
    graphs = draw_graphs(TASK, 60, seed=0)
    subject = subject_of(Follower(codec, names_goal), codec, "teacher_forcing", graphs)
    metrics = _metrics(subject, _answers(subject))
    listed_first = np.array([next(c for p, c in edges if p == edges_start) for edges, edges_start in
                             zip(graphs.edges.tolist(), graphs.start.tolist(), strict=True)])  # fmt: skip
    lucky = float((listed_first == graphs.path[:, 1]).mean())
    assert 0 < lucky < 1
    assert metrics["position_2/teacher_forced"] == pytest.approx(lucky)
    assert metrics["exact_match"] == pytest.approx(lucky)
    for node in (1, 3, 4, 5):
        assert metrics[f"position_{node}/teacher_forced"] == 1.0
    assert metrics["first_step/on_an_arm"] == 1.0
    assert metrics["clever_hans/given_first"] == 1.0
    assert metrics["clever_hans/wrong_first_inner"] == 1.0
    assert metrics["clever_hans/wrong_first_followed"] == (0.0 if names_goal else 1.0)
    assert metrics["clever_hans/wrong_first_ends_at_goal"] == (1.0 if names_goal else 0.0)
    assert metrics["chance"] == pytest.approx(1 / 3)


def test_the_wrong_arm_s_rows_keep_the_question() -> None:
    codec = NumeralCodec(TASK)
    graphs = draw_graphs(TASK, 5, seed=1)
    true, wrong = encode(graphs, codec, False), wrong_arm_rows(graphs, codec, False)
    prompt = int(true.prompt_length[0])
    assert np.array_equal(true.tokens[:, :prompt], wrong.tokens[:, :prompt])
    assert np.array_equal(wrong.tokens[:, prompt:], graphs.arms[:, 1])
    reverse = wrong_arm_rows(graphs, codec, True)
    assert np.array_equal(reverse.tokens[:, prompt], graphs.goal)
    assert np.array_equal(reverse.tokens[:, prompt + 1 :], graphs.arms[:, 1, -2::-1])


LINE = "32,3|16,12|3,19|32,34|34,6|6,16|19,47|47,28/32,12=32,34,6,16,12"


@pytest.mark.parametrize(
    ("objective", "parents", "children"),
    [
        ("teacher_forcing", [9, 12, 15, 3], [10, 13, 16, 4]),
        ("reversed", [3, 15, 12, 9], [4, 16, 13, 10]),
    ],
)
def test_places_of_a_hand_read_line(tmp_path, objective, parents, children) -> None:
    path = tmp_path / "one.txt"
    path.write_text(LINE + "\n")
    task = StarTask(2, 5, 50)
    codec = NumeralCodec(task)
    subject = subject_of(Follower(codec, False), codec, objective, read_graphs(path, task))
    places = edge_places(subject)
    assert places.query[0].tolist() == [27, 28, 29, 30]
    assert places.parent[0].tolist() == parents
    assert places.child[0].tolist() == children


class OneHead(Follower):
    """Head 1.2 looks at the right edge's child, every other head at the first token."""

    def __init__(self, codec: NumeralCodec, places: Any, inputs: np.ndarray) -> None:
        super().__init__(codec, False)
        self.places, self.inputs = places, torch.from_numpy(inputs)

    @property
    def structure(self) -> ModelStructure:
        hooks = ("blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern")
        return ModelStructure(hooks, 2, 3, 4, self.codec.vocab_size, None)

    def forward(
        self,
        tokens: Tensor,
        reducers: Mapping[str, Callable[[Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[Tensor], Tensor]] = NO_EDITS,
    ) -> Tensor:
        batch, n_pos = tokens.shape
        for name, reduce in reducers.items():
            pattern = torch.zeros(batch, 3, n_pos, n_pos)
            pattern[..., 0] = 1.0
            if name.startswith("blocks.1"):
                for row in range(batch):
                    graph = int((self.inputs == tokens[row]).all(dim=1).nonzero()[0])
                    for query, key in zip(self.places.query[graph], self.places.child[graph], strict=True):
                        pattern[row, 2, query] = 0.0
                        pattern[row, 2, query, key] = 1.0
            else:
                prompt = 3 * self.codec.task.n_edges + 3
                for row in range(batch):
                    ids = tokens[row].tolist()
                    edge = next(at for at in range(0, prompt - 3, 3) if ids[at + 1] == ids[prompt - 2])
                    pattern[row, 1, prompt - 2] = 0.0
                    pattern[row, 1, prompt - 2, edge] = 1.0
            reduce(pattern)
        return torch.zeros(batch, n_pos, self.codec.vocab_size)


def run_in(tmp_path: Path, subject: Subject) -> Run:
    folder = RunFolder(tmp_path / "run")
    folder.create()
    config = RunConfig(exp_name="path_star", exp=subject.exp, results_dir=tmp_path)
    return Run(config, folder, NoSubject(None, None, {}, None))


def test_a_planted_lookup_head_is_found(tmp_path: Path) -> None:
    codec = NumeralCodec(TASK)
    graphs = draw_graphs(TASK, 8, seed=2)
    bare = subject_of(Follower(codec, False), codec, "teacherless", graphs)
    model = OneHead(codec, edge_places(bare), bare.way.reads(bare.rows))
    subject = subject_of(model, codec, "teacherless", graphs)
    lookup = measure_heads(run_in(tmp_path, subject), subject)
    assert lookup.metrics["edge_lookup/head"] == "L1H2"
    assert lookup.metrics["edge_lookup/score"] == 1.0
    # Head 0.1 is planted at the question's goal, looking at the parent of the edge that ends there.
    assert lookup.metrics["edge_lookup/question_head"] == "L0H1"
    assert lookup.metrics["edge_lookup/question_score"] == 1.0
    assert lookup.arrays["edge_lookup/question"][0, 1].tolist() == [1.0, 0.0]
    child, parent = lookup.arrays["edge_lookup/child"], lookup.arrays["edge_lookup/parent"]
    assert child.shape == parent.shape == (2, 3, 4)
    assert child[1, 2].tolist() == [1.0] * 4
    assert child[0].max() == child[1, :2].max() == 0.0
    # Nobody looks at a parent, but where it is the row's first token.
    assert parent[1, 2].max() == 0.0
    assert lookup.details["heads"]["top"][0]["label"] == "L1H2"


def test_a_scratchpad_is_watched_where_it_is_written() -> None:
    codec = NumeralCodec(TASK)
    graphs = draw_graphs(TASK, 4, seed=3)
    model = Follower(codec, True)
    planning = subject_of(model, codec, "scratchpad", graphs).where_it_plans()
    backwards = subject_of(model, codec, "reversed", graphs)
    assert np.array_equal(planning.rows.tokens, backwards.rows.tokens) and planning.exp == backwards.exp
    forwards = subject_of(model, codec, "teacher_forcing", graphs)
    assert forwards.where_it_plans() is forwards


class NeedsOneHead(Follower):
    """All that a follower says is written by head 1.2; heads 0.1 and 0.2 both write the same whisper."""

    @property
    def structure(self) -> ModelStructure:
        return ModelStructure(("blocks.0.attn.hook_z", "blocks.1.attn.hook_z"), 2, 3, 4, self.codec.vocab_size, None)

    def forward(
        self,
        tokens: Tensor,
        reducers: Mapping[str, Callable[[Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[Tensor], Tensor]] = NO_EDITS,
    ) -> Tensor:
        said = super().forward(tokens)
        nothing = torch.zeros_like(said)
        outputs = {
            "blocks.0.attn.hook_z": torch.stack([nothing, 0.02 * said, 0.02 * said], dim=2),
            "blocks.1.attn.hook_z": torch.stack([nothing, nothing, said], dim=2),
        }
        for name, output in outputs.items():
            if name in reducers:
                reducers[name](output)
            if name in edits:
                outputs[name] = edits[name](output)
        logits: Tensor = sum(outputs.values()).sum(dim=2)
        return logits


def test_the_head_that_is_needed_is_found_and_the_others_cost_nothing(tmp_path: Path) -> None:
    codec = NumeralCodec(TASK)
    graphs = draw_graphs(TASK, 40, seed=3)
    subject = subject_of(NeedsOneHead(codec, True), codec, "teacher_forcing", graphs)
    found = measure_knock_out(run_in(tmp_path, subject), subject)
    right, intact = found.arrays["knock_out/right"], found.arrays["knock_out/intact"]
    assert right.shape == (2, 3, 5)
    assert intact[[0, 2, 3, 4]].tolist() == [1.0] * 4 and intact[1] < 1
    for layer, head in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1)):
        assert np.array_equal(right[layer, head], intact)
    # Without it, the mean of what it says of all graphs: the other layer whispers on.
    rows = subject.rows
    prompt = int(rows.prompt_length[0])
    with torch.inference_mode():
        said = Follower(codec, True).forward(torch.from_numpy(rows.tokens[:, :-1]))[:, prompt - 1 :]
        truth = torch.from_numpy(rows.tokens[:, prompt:])
        left = ((said.double().mean(dim=0) + 0.04 * said).argmax(dim=-1) == truth).double().mean(dim=0)
    assert right[1, 2].tolist() == pytest.approx(left.tolist())
    assert left[2] < 0.9
    assert found.metrics["knock_out/head"] == "L1H2"
    at = int((intact - right[1, 2])[1:].argmax()) + 1
    assert found.metrics["knock_out/node"] == ("start", "first step", "step 2", "step 3", "goal")[at]
    assert found.metrics["knock_out/cost"] == pytest.approx(float(intact[at] - right[1, 2, at]))


def test_no_head_is_taken_out_where_none_is_asked_for_or_there_are_none(tmp_path: Path) -> None:
    codec = NumeralCodec(TASK)
    graphs = draw_graphs(TASK, 4, seed=3)
    nothing = {"knock_out/head": None, "knock_out/node": None, "knock_out/cost": None}
    subject = subject_of(Follower(codec, True), codec, "teacher_forcing", graphs)
    assert measure_knock_out(run_in(tmp_path, subject), subject).metrics == nothing
    asked = subject_of(NeedsOneHead(codec, True), codec, "teacher_forcing", graphs)
    asked = replace(asked, exp=replace(asked.exp, n_knock_out=0))
    assert measure_knock_out(run_in(tmp_path / "none", asked), asked).metrics == nothing
