"""Training: it learns, an interrupted one ends alike, and what it ships boots like any other model."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.models.activations.patterns import head_output_hooks
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.identity import resolve_identity
from harness.models.lazy import lazy_model
from harness.models.tokenizer_loading import load_tokenizer
from harness.path_star.answering import answer, answers_right, nodes_right, predict_forced
from harness.path_star.architecture import make_codec
from harness.path_star.codec import NumeralCodec
from harness.path_star.material import encode, held_out_graphs, prepare_material
from harness.path_star.recipe import Architecture, PathStarRecipe
from harness.path_star.training import TrainingOutcome, train_path_model
from harness.path_star.ways.roster import WAYS
from harness.path_star.ways.way import Answers, Way

pytestmark = pytest.mark.integration

TINY = PathStarRecipe(
    graph="2x3", n_values=8, n_train=256, n_held_out=64, n_layers=1, d_model=16, n_heads=2, n_steps=12, batch_size=8,
    warmup_steps=2, probe_every=4, n_probe=32, checkpoint_every=5, stop_when_solved=None,
)  # fmt: skip


def train(recipe: PathStarRecipe, folder: Path) -> TrainingOutcome:
    return train_path_model(recipe, folder / "model", folder / "work", lambda _: None)


def train_until_killed(recipe: PathStarRecipe, folder: Path) -> None:
    def progress(step: int) -> None:
        if step >= 8:
            os.kill(os.getpid(), signal.SIGKILL)

    train_path_model(recipe, folder / "model", folder / "work", progress)


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole = train(TINY, tmp_path / "whole")
    child = multiprocessing.get_context("spawn").Process(target=train_until_killed, args=(TINY, tmp_path / "killed"))
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model").exists()
    outcome = train(TINY, tmp_path / "killed")
    assert outcome.resumed_from == 5
    assert outcome.curve == whole.curve
    names = ("whole", "killed")
    first, second = ((tmp_path / name / "model" / "model.safetensors").read_bytes() for name in names)
    assert first == second


def test_a_training_killed_after_its_last_step_is_not_trained_further(tmp_path: Path) -> None:
    recipe = replace(TINY, n_steps=10)
    whole = train(recipe, tmp_path)
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    again = train_path_model(recipe, tmp_path / "again", tmp_path / "work", lambda _: None)
    assert again.resumed_from == again.steps == 10
    assert again.curve == whole.curve
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("objective", list(WAYS))
def test_every_objective_trains_and_boots(objective: str, tmp_path: Path) -> None:
    recipe = replace(TINY, objective=objective, n_steps=4)
    outcome = train(recipe, tmp_path)
    assert all(np.isfinite(point["loss"]) for point in outcome.curve if "loss" in point)
    folder = tmp_path / "model"
    config = ModelConfig(name=str(folder))
    model = lazy_model(resolve_identity(config), config)
    rows = encode(held_out_graphs(recipe)[:8], make_codec(recipe), recipe.way.is_reversed)
    logits = model.forward(torch.from_numpy(rows.tokens[:, :-1]))
    assert logits.shape == (8, rows.tokens.shape[1] - 1, 14 if recipe.way.has_signs else 12)
    assert model.has_attention_patterns
    model.close()
    assert json.loads((folder / "path_star.json").read_text())["recipe"]["objective"] == objective
    own = (folder / "objective.safetensors").exists()
    assert own == (objective in ("token_order", "multi_token", "next_latent"))


def test_the_objective_s_own_modules_are_trained(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    recipe = replace(TINY, objective="token_order", n_steps=2)
    train(recipe, tmp_path / "short")
    train(replace(recipe, n_steps=8), tmp_path / "long")
    short, long = (load_file(tmp_path / name / "model" / "objective.safetensors") for name in ("short", "long"))
    assert not torch.equal(short["order.weight"], long["order.weight"])


def test_gpt_neox_trains_and_boots_with_its_heads(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    recipe = replace(TINY, architecture=Architecture.GPT_NEOX, n_steps=4)
    train(recipe, tmp_path)
    config = ModelConfig(name=str(tmp_path / "model"))
    model = lazy_model(resolve_identity(config), config)
    tokens = torch.from_numpy(encode(held_out_graphs(recipe)[:8], make_codec(recipe), False).tokens)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    with torch.inference_mode():
        torch.testing.assert_close(model.forward(tokens), plain(tokens).logits, rtol=0, atol=1e-4)
    assert list(head_output_hooks(model)) == list(range(recipe.n_layers))
    assert plain.config.model_type == "gpt_neox" and plain.config.num_attention_heads == recipe.n_heads
    model.close()


def test_mamba_trains_and_boots_without_heads(tmp_path: Path) -> None:
    recipe = replace(TINY, architecture=Architecture.MAMBA, n_steps=2, d_state=4)
    train(recipe, tmp_path)
    config = ModelConfig(name=str(tmp_path / "model"))
    model = lazy_model(resolve_identity(config), config)
    assert not model.has_attention_patterns
    model.close()


def test_a_small_task_is_learnt_and_ends_early(tmp_path: Path) -> None:
    # G(2,2): the answer is start and goal, both named in the prompt.
    recipe = replace(
        TINY, graph="2x2", n_values=8, n_train=128, n_held_out=32, d_model=32, n_layers=2, n_steps=400, batch_size=32,
        learning_rate=3e-3, probe_every=25, checkpoint_every=500, stop_when_solved=0.95,
    )  # fmt: skip
    outcome = train(recipe, tmp_path)
    assert outcome.is_solved
    assert outcome.steps < 400
    probes = [point["exact_match"] for point in outcome.curve if "exact_match" in point]
    assert min(probes[-2:]) >= 0.95


def test_training_and_held_out_graphs_share_none_and_do_not_depend_on_one_another() -> None:
    material = prepare_material(TINY)
    assert not set(material.train.keys().tolist()) & set(material.held_out.keys().tolist())
    fewer = prepare_material(replace(TINY, n_train=32))
    assert np.array_equal(fewer.held_out.arms, material.held_out.arms)
    other = prepare_material(replace(TINY, replicate=1))
    assert not np.array_equal(other.held_out.arms, material.held_out.arms)


def test_the_shipped_tokenizer_writes_the_prompt_as_the_codec_does(tmp_path: Path) -> None:
    train(replace(TINY, n_steps=1), tmp_path)
    config = ModelConfig(name=str(tmp_path / "model"))
    tokenizer = load_tokenizer(resolve_identity(config), config, TokenizerConfig())
    assert tokenizer is not None
    codec = NumeralCodec(TINY.task)
    assert tokenizer.encode("3,2|0,7/5,1=5,$") == [
        3,
        2,
        codec.bar,
        0,
        7,
        codec.slash,
        5,
        1,
        codec.equals,
        5,
        codec.dummy_id,
    ]


def way_of(objective: str) -> Way:
    recipe = replace(TINY, objective=objective)
    return recipe.way(make_codec(recipe), recipe.objective_settings)


class Oracle:
    """A "model" that knows the rows, and goes wrong where it is told to."""

    def __init__(self, tokens: np.ndarray, vocab: int, wrong: tuple[int, int] | None = None) -> None:
        self.tokens, self.vocab, self.wrong = torch.from_numpy(tokens), vocab, wrong
        self.seen: list[torch.Tensor] = []

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        self.seen.append(tokens.clone())
        following = self.tokens[:, 1 : tokens.shape[1] + 1].clone()
        if following.shape[1] < tokens.shape[1]:
            following = torch.cat([following, following[:, -1:]], dim=1)
        if self.wrong is not None:
            row, pos = self.wrong
            if pos - 1 < following.shape[1]:
                following[row, pos - 1] = (following[row, pos - 1] + 1) % self.vocab
        return torch.nn.functional.one_hot(following, self.vocab).float()


def test_answers_of_an_oracle_are_right_but_where_it_errs() -> None:
    codec = NumeralCodec(TINY.task)
    rows = encode(held_out_graphs(TINY)[:4], codec, False)
    right = Oracle(rows.tokens, 12)
    way = way_of("teacher_forcing")
    assert bool(answers_right(answer(way, right, rows).tokens, rows).all())
    # The truth of the answer never goes in: at the first step everything after the prompt is padding.
    assert bool((right.seen[0][:, rows.prompt_length[0] :] == codec.pad_id).all())
    wrong_at = int(rows.node_start[2, 1])
    errs = Oracle(rows.tokens, 12, (2, wrong_at))
    written = answer(way, errs, rows).tokens
    assert answers_right(written, rows).tolist() == [True, True, False, True]
    assert nodes_right(written, rows)[2].tolist() == [True, False, True]
    forced = predict_forced(way_of("teacherless"), Oracle(rows.tokens, 12, (2, wrong_at)), rows)
    assert nodes_right(forced, rows)[2].tolist() == [True, False, True]


def test_parallel_decoding_reads_dummies_alone() -> None:
    codec = NumeralCodec(TINY.task)
    rows = encode(held_out_graphs(TINY)[:4], codec, False)
    oracle = Oracle(rows.tokens, 12)
    predict_forced(way_of("teacherless"), oracle, rows)
    assert len(oracle.seen) == 1
    assert bool((oracle.seen[0][:, rows.prompt_length[0] :] == codec.dummy_id).all())


class Backwards:
    """A "model" that knows every node from the goal, and from the start only where the truth stands before it."""

    def __init__(self, paths: np.ndarray, prompt: int, first_sign: int) -> None:
        self.paths, self.prompt, self.first_sign = paths, prompt, first_sign

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*tokens.shape, self.first_sign + 2)
        for row, ids in enumerate(tokens.tolist()):
            path = self.paths[row].tolist()
            answer_ = path[::-1] if ids[self.prompt] == self.first_sign + 1 else path
            for pos in range(self.prompt, min(len(ids), self.prompt + len(path))):
                unsure = answer_ == path and pos == self.prompt + 1
                logits[row, pos, answer_[pos - self.prompt]] = -5.0 if unsure else 20.0
        return logits


def test_of_two_answers_the_likelier_is_kept() -> None:
    recipe = replace(TINY, objective="either_end")
    codec = make_codec(recipe)
    graphs = held_out_graphs(recipe)[:6]
    rows = encode(graphs, codec, False)
    sign = codec.dummy_id + 1
    model = Backwards(graphs.path, int(rows.prompt_length[0]), sign)
    way = way_of("either_end")
    written = answer(way, model, rows)
    assert bool(answers_right(written.tokens, rows).all())
    assert bool(written.measured["either_end/from_goal"].all())
    # Asked from the start, with the truth before it, it knows all but the first step.
    forced = predict_forced(way, model, rows)
    assert nodes_right(forced, rows).tolist() == [[True, False, True]] * 6
    # Given the first two nodes it writes the third.
    assert bool(answers_right(answer(way, model, rows, 2).tokens, rows).all())


class FromGoal:
    """A "model" that is surest of the goal, then of each node whose next one it sees, and says 0 elsewhere."""

    def __init__(self, paths: np.ndarray, prompt: int, dummy: int) -> None:
        self.paths, self.prompt, self.dummy = paths, prompt, dummy

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        n_nodes = self.paths.shape[1]
        logits = torch.zeros(*tokens.shape, self.dummy + 1)
        for row, ids in enumerate(tokens.tolist()):
            path, read = self.paths[row].tolist(), ids[self.prompt : self.prompt + n_nodes]
            for node in range(n_nodes):
                is_known = node == n_nodes - 1 or read[node + 1] == path[node + 1]
                logits[row, self.prompt + n_nodes + node, path[node] if is_known else 0] = 20.0 if is_known else 1.0
        return logits


def test_hidden_nodes_are_filled_in_surest_first() -> None:
    recipe = replace(TINY, objective="masked_diffusion")
    codec = make_codec(recipe)
    graphs = held_out_graphs(recipe)[:6]
    rows = encode(graphs, codec, False)
    model = FromGoal(graphs.path, int(rows.prompt_length[0]), codec.dummy_id)
    way = way_of("masked_diffusion")
    written = answer(way, model, rows)
    assert bool(answers_right(written.tokens, rows).all())
    assert rounds(written) == [[3, 2, 1]] * 6
    # Asked from the start it sees no next node: it knows the goal alone, but for nodes that are 0 by chance.
    forced = predict_forced(way, model, rows)
    assert nodes_right(forced, rows).tolist() == [[node == 0 for node in path[:2]] + [True] for path in
                                                  graphs.path.tolist()]  # fmt: skip
    # Nodes that are given stay as they are, right or wrong.
    begun = replace(rows, tokens=rows.tokens.copy())
    begun.tokens[:, rows.prompt_length[0] + 1] = 0
    led = answer(way, model, begun, n_given=2)
    assert np.array_equal(led.tokens, begun.tokens)
    assert rounds(led) == [[0, 0, 1]] * 6


def rounds(written: Answers) -> list[list[int]]:
    found: list[list[int]] = np.stack(
        [written.measured[f"position_{node}/round"] for node in (1, 2, 3)], axis=1
    ).tolist()
    return found


class WritesBackwards:
    """A "model" whose scratchpad is right but for the first row's middle node, and whose answer is its reverse."""

    def __init__(self, paths: np.ndarray, prompt: int, vocab_size: int) -> None:
        self.paths, self.prompt, self.vocab_size = paths, prompt, vocab_size

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*tokens.shape, self.vocab_size)
        for row, ids in enumerate(tokens.tolist()):
            path = self.paths[row].tolist()
            for pos in range(self.prompt - 1, len(ids)):
                number = pos - self.prompt + 1
                if number < len(path):
                    said = path[::-1][number] if (row, number) != (0, 1) else self.vocab_size - 1
                elif number < 2 * len(path):
                    said = ids[self.prompt : self.prompt + len(path)][::-1][number - len(path)]
                else:
                    continue
                logits[row, pos, said] = 1.0
        return logits


def test_an_answer_follows_the_model_s_own_scratchpad() -> None:
    recipe = replace(TINY, objective="scratchpad")
    codec = make_codec(recipe)
    graphs = held_out_graphs(recipe)[:6]
    rows = encode(graphs, codec, False)
    model = WritesBackwards(graphs.path, int(rows.prompt_length[0]), codec.vocab_size)
    way = way_of("scratchpad")
    written = answer(way, model, rows)
    assert written.measured["scratchpad/exact_match"].tolist() == [False] + [True] * 5
    assert answers_right(written.tokens, rows).tolist() == [False] + [True] * 5
    # After the true scratchpad every node is right.
    assert bool(nodes_right(predict_forced(way, model, rows), rows).all())
    # Given nodes follow the model's own scratchpad, as they are.
    begun = replace(rows, tokens=rows.tokens.copy())
    at = int(rows.prompt_length[0])
    begun.tokens[1, at + 1] = codec.vocab_size - 1
    led = answer(way, model, begun, n_given=2)
    assert led.tokens[1, at : at + 3].tolist() == [graphs.path[1, 0], codec.vocab_size - 1, graphs.path[1, 2]]
