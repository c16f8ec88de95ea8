"""Many prompts together say what each says alone, whatever the architecture keeps."""

from functools import wraps
from itertools import pairwise

import numpy as np
import pytest
import torch
import transformers as tf
from transformers.cache_utils import DynamicLayer

from harness.errors import Rejected, RunFailed
from harness.models.answers._continuation import Prefix, StatefulContinuation, WholeContinuation
from harness.models.answers.causal_model import CausalModel
from harness.models.answers.decoding import Stop, common_prefix, decode, groups_by_length
from harness.models.answers.reuse import Reuse, ReuseTrials
from harness.models.answers.sampling import Cutoff, EachItsOwn, NoRepeatedNgrams, Sampled
from harness.models.answers.verification import target_probabilities
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from tests.helpers.zoo import GROUPED, ROWS, row, save_model

pytestmark = pytest.mark.integration

ARCHITECTURES = ["gpt2", "gpt_neox", "llama", "mamba"]
PROMPTS = [[5, 9, 33, 7, 12], [5, 9, 2, 7, 12], [5, 9, 61, 8], [5, 9, 40, 8], [5, 9, 17, 3, 3, 3, 20]]
N_NEW = 6


def load(folder):
    config = ModelConfig(name=str(folder), device="cpu")
    return CausalModel.load(resolve_identity(config), config)


@pytest.fixture(params=ARCHITECTURES)
def model(request, checkpoints):
    return load(checkpoints[request.param])


def one_by_one(model, prompt, n_new=N_NEW, **options):
    """transformers' own `generate`, or the same loop where it refuses to run without a cache."""
    tokens = torch.tensor([prompt])
    found = model.backend.generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=n_new, do_sample=False, eos_token_id=None,
        pad_token_id=0, **options,
    )  # fmt: skip
    return tuple(found[0, len(prompt) :].tolist())


class TestDecode:
    @pytest.mark.parametrize("batch_size", [None, 1, 2])
    def test_says_what_generate_says_one_by_one(self, model, batch_size):
        answers = decode(model, PROMPTS, N_NEW, batch_size=batch_size)
        assert answers.tokens == tuple(one_by_one(model, prompt) for prompt in PROMPTS)

    def test_reuses_beginnings_where_there_are_keys_and_values(self, checkpoints):
        found = [load(checkpoints[name]).reuse(12) for name in ARCHITECTURES]
        assert found == [Reuse.KEYS_AND_VALUES] * 3 + [Reuse.STATE]

    def test_counts_the_positions_it_reads(self, checkpoints):
        model = load(checkpoints["gpt2"])
        # The prefix of 2 once; rests of 3, 3, 2, 2, 5; then one more position for each further token.
        assert decode(model, PROMPTS, N_NEW).n_positions == 2 + 15 + 5 * (N_NEW - 1)

    def test_one_prompt_and_none(self, model):
        assert decode(model, [PROMPTS[0]], N_NEW).tokens == (one_by_one(model, PROMPTS[0]),)
        assert decode(model, [], N_NEW).tokens == ()

    def test_equal_prompts_are_read_once(self, checkpoints):
        answers = decode(load(checkpoints["gpt2"]), [PROMPTS[0]] * 3, 1)
        assert len(set(answers.tokens)) == 1
        assert answers.n_positions == 4 + 1

    def test_counts_a_beginning_with_every_prompt_that_reads_it(self, checkpoints):
        model = load(checkpoints["mamba"])
        assert decode(model, PROMPTS, N_NEW).n_positions == sum(map(len, PROMPTS)) + 5 * (N_NEW - 1)

    def test_a_prompt_beyond_the_window_is_refused(self, checkpoints):
        with pytest.raises(RunFailed, match="window of 32"):
            decode(load(checkpoints["gpt2"]), [list(range(33))], 1)

    def test_rows_that_ended_do_not_disturb_the_others(self, model):
        whole = [one_by_one(model, prompt, 12) for prompt in PROMPTS]
        answers = decode(model, PROMPTS, 12, After([1, 12, 3, 12, 2]))
        assert answers.tokens == tuple(said[:n] for said, n in zip(whole, (1, 12, 3, 12, 2), strict=True))


class After(Stop):
    """Ends the answer to prompt n after `lengths[n]` tokens."""

    def __init__(self, lengths):
        self.lengths, self.said = torch.tensor(lengths), torch.zeros(len(lengths), dtype=torch.long)

    def reset(self, rows):
        self.said[rows] = 0

    def update(self, rows, tokens):
        self.said[rows] += 1
        return self.said[rows] >= self.lengths[rows]


class TestRunningOutOfMemory:
    def test_half_the_rows_are_tried_and_nothing_is_said_twice(self, checkpoints, monkeypatch):
        model = load(checkpoints["gpt2"])
        prompts = [[5, 9, number] for number in range(8)]
        whole = decode(model, prompts, N_NEW, After([4] * 8))
        begin, sizes = CausalModel.begin, []

        def begin_or_fail(self, prefix, rest, n_new):
            sizes.append(len(rest))
            flow = begin(self, prefix, rest, n_new)
            if len(rest) > 2:
                flow.step = raise_out_of_memory
            return flow

        def raise_out_of_memory(tokens):
            raise torch.OutOfMemoryError

        monkeypatch.setattr(CausalModel, "begin", begin_or_fail)
        assert decode(model, prompts, N_NEW, After([4] * 8), batch_size=8).tokens == whole.tokens
        assert sizes == [8, 4, 2, 2, 2, 2]


class TestState:
    """Models whose beginnings can't be shared keep a state, and read each prompt once."""

    @pytest.mark.parametrize("name", ["mamba", "mamba2", "jamba"])
    def test_says_what_reading_everything_again_says(self, name, tmp_path):
        model = load(save_model(next(shape for shape in ROWS if shape.name == name), tmp_path / name))
        tokens = torch.randint(3, 60, (3, 24), generator=torch.Generator().manual_seed(0))
        prefix, rest = Prefix((5, 6), None), tokens[:, :16]
        flow = model.begin(prefix, rest, 8)
        assert isinstance(flow, StatefulContinuation)
        whole = WholeContinuation(model.backend, prefix, rest, {})
        for place in range(16, 24):
            if place == 20:
                kept = torch.tensor([2, 0, 2])
                flow.keep(kept)
                whole.keep(kept)
                tokens = tokens[kept]
            found, expected = (one.step(tokens[:, place]).log_softmax(-1) for one in (flow, whole))
            assert (found - expected).abs().max() < 3e-5

    def test_reads_each_token_once(self, checkpoints, monkeypatch):
        model, read = load(checkpoints["mamba"]), []
        assert model.reuse(5 + N_NEW) is Reuse.STATE
        forward = model.backend.forward
        monkeypatch.setattr(
            model.backend, "forward", lambda **given: (read.append(given["input_ids"].numel()), forward(**given))[1]
        )
        decode(model, [PROMPTS[0]], N_NEW)
        assert read == [5, *[1] * (N_NEW - 1)]

    def test_a_state_that_cannot_be_taken_up_is_not_trusted(self, checkpoints, monkeypatch, caplog):
        model = load(checkpoints["mamba"])
        forward = model.backend.forward

        @wraps(forward)
        def forgetful(**given):
            out = forward(**given)
            for layer in out.cache_params.layers if out.get("cache_params") is not None else ():
                layer.recurrent_states[0].zero_()
            return out

        monkeypatch.setattr(model.backend, "forward", forgetful)
        assert model.reuse(8) is Reuse.NOTHING
        assert "state cannot be reused" in caplog.text
        assert isinstance(model.begin(Prefix((), None), torch.tensor([PROMPTS[0]]), 3), WholeContinuation)

    def test_a_model_that_keeps_its_state_to_itself_is_read_whole(self, tmp_path):
        model = load(save_model(next(shape for shape in ROWS if shape.name == "recurrent_gemma"), tmp_path / "model"))
        assert isinstance(model.begin(Prefix((), None), torch.tensor([PROMPTS[0]]), 3), WholeContinuation)


LAYERS = ["sliding_attention", "full_attention"]
LONG_ROPE = {"rope_type": "longrope", "rope_theta": 10_000.0, "short_factor": [1.0, 1.2], "long_factor": [3.0, 6.0]}
WINDOWED = (
    row("qwen2", tf.Qwen2Config, **GROUPED, use_sliding_window=True, sliding_window=8, max_window_layers=1),
    row("olmo3", tf.Olmo3Config, **GROUPED, sliding_window=8, layer_types=LAYERS),
    row("gemma2", tf.Gemma2Config, **GROUPED, head_dim=8, sliding_window=8, query_pre_attn_scalar=16),
    row(
        "llama4", tf.Llama4TextConfig, **GROUPED, head_dim=8, attention_chunk_size=8, num_local_experts=2,
        intermediate_size_mlp=24, layer_types=["chunked_attention", "full_attention"],
    ),
    row("mistral", tf.MistralConfig, **GROUPED, sliding_window=8, head_dim=4),
    row("gpt_neo", tf.GPTNeoConfig, num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]],
        window_size=8),
    row("phi3", tf.Phi3Config, **GROUPED, original_max_position_embeddings=16, rope_parameters=LONG_ROPE),
    row(
        "lfm2", tf.Lfm2Config, **GROUPED, layer_types=["conv", "full_attention"]
    ),
    row("bamba", tf.BambaConfig, **GROUPED, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=4, mamba_chunk_size=8,
        attn_layer_indices=[1]),
)  # fmt: skip


class TestBeyondTheWindow:
    """Whatever a layer lets go of, what every prompt begins with counts in every answer."""

    @pytest.mark.parametrize("shape", WINDOWED, ids=lambda shape: shape.name)
    @pytest.mark.parametrize("n_shared", [3, 12, 29])
    def test_probabilities_are_those_of_whole_passes(self, shape, n_shared, tmp_path):
        model = load(save_model(shape, tmp_path / shape.name))
        shared = torch.randint(3, 60, (n_shared,), generator=torch.Generator().manual_seed(3)).tolist()
        prompts = {token: [*shared, token, (token * 7) % 60, 5] for token in range(3, 11)}
        found = target_probabilities(model, list(prompts), prompts.__getitem__, 4)
        for place, (token, prompt) in enumerate(prompts.items()):
            tokens = list(prompt)
            for step in range(4):
                whole = model.logits(torch.tensor([tokens]))[0, -1].double().softmax(-1)
                assert found.probability[place, step] == pytest.approx(whole[token].item(), abs=1e-5)
                tokens.append(int(whole.argmax()))
            assert found.answer_ids[place] == tuple(tokens[-4:])

    @pytest.mark.parametrize("name", ["qwen2", "olmo3", "gemma2", "llama4", "mistral"])
    def test_a_beginning_longer_than_the_window_is_still_read_once(self, name, tmp_path):
        model = load(save_model(next(shape for shape in WINDOWED if shape.name == name), tmp_path / name))
        prompts = [[*range(3, 23), token] for token in range(30, 34)]
        assert decode(model, prompts, 2).n_positions == 20 + 4 + 4

    def test_a_beginning_that_was_not_kept_is_read_with_every_prompt(self, checkpoints, monkeypatch):
        model = load(checkpoints["llama"])
        expected = decode(model, PROMPTS, N_NEW)
        monkeypatch.setattr(ReuseTrials, "keys_and_values", lambda *_: None)
        again = decode(model, PROMPTS, N_NEW)
        assert again.tokens == expected.tokens
        assert again.n_positions == sum(map(len, PROMPTS)) + 5 * (N_NEW - 1)

    def test_a_cache_that_forgets_is_found_out_at_the_length_it_is_used_for(self, tmp_path, monkeypatch, caplog):
        model = load(save_model(next(shape for shape in ROWS if shape.name == "llama"), tmp_path / "long"))
        assert model.reuse(20) is Reuse.KEYS_AND_VALUES
        update = DynamicLayer.update

        def forgetful(self, keys, values, *args, **kwargs):
            found = update(self, keys, values, *args, **kwargs)
            self.keys[:, :, :-40] = 0
            return found

        monkeypatch.setattr(DynamicLayer, "update", forgetful)
        assert model.reuse(20) is Reuse.KEYS_AND_VALUES
        assert model.reuse(60) is Reuse.NOTHING
        assert "cannot be reused in texts of 64 tokens" in caplog.text

    def test_positions_that_turn_otherwise_in_longer_texts_are_never_reused_there(self, tmp_path):
        model = load(save_model(next(shape for shape in WINDOWED if shape.name == "phi3"), tmp_path / "phi3"))
        assert [model.reuse(n) for n in (16, 17)] == [Reuse.KEYS_AND_VALUES, Reuse.NOTHING]


class TestPrefixes:
    def test_common_prefix_leaves_a_token_of_each(self):
        assert common_prefix(PROMPTS) == 2
        assert common_prefix([[1, 2, 3]]) == 2
        assert common_prefix([[1, 2], [1, 2, 3]]) == 1
        assert common_prefix([[1], [2]]) == 0

    def test_groups_by_length(self):
        assert groups_by_length(PROMPTS) == [[2, 3], [0, 1], [4]]


class TestTargetProbabilities:
    def test_the_probability_of_the_target_along_the_greedy_answer(self, model):
        ids, prompts = [33, 2, 61], {33: PROMPTS[0], 2: PROMPTS[1], 61: PROMPTS[2]}
        found = target_probabilities(model, ids, prompts.__getitem__, 3)
        for place, token in enumerate(ids):
            tokens = list(prompts[token])
            for step in range(3):
                logits = model.logits(torch.tensor([tokens]))[0, -1].double()
                assert found.probability[place, step] == pytest.approx(logits.softmax(-1)[token].item(), rel=1e-3)
                tokens.append(int(logits.argmax()))
            assert found.answer_ids[place] == tuple(tokens[-3:])
        assert np.array_equal(found.highest, found.probability.max(axis=1))


class TestSampling:
    def test_what_a_prompt_says_does_not_depend_on_its_neighbours(self, checkpoints):
        model = load(checkpoints["gpt2"])
        together = decode(model, PROMPTS, N_NEW, choose=Sampled(Cutoff(), [(7, n) for n in range(5)], N_NEW))
        for number, prompt in enumerate(PROMPTS):
            alone = decode(model, [prompt], N_NEW, choose=Sampled(Cutoff(), [(7, number)], N_NEW))
            assert alone.tokens[0] == together.tokens[number]

    def test_seeds_differ_and_repeat(self, checkpoints):
        model = load(checkpoints["gpt2"])

        def sample(seed):
            return decode(
                model, [PROMPTS[0]] * 8, N_NEW, choose=Sampled(Cutoff(), [(seed, n) for n in range(8)], N_NEW)
            )

        assert sample(0) == sample(0)
        assert sample(0) != sample(1)
        assert len(set(sample(0).tokens)) > 1

    @pytest.mark.parametrize("batch_size", [None, 3])
    def test_groups_chosen_for_in_their_own_way_say_what_they_say_alone(self, checkpoints, batch_size):
        from harness.models.answers.decoding import likeliest

        model = load(checkpoints["gpt2"])

        def groups():
            sampled = Sampled(Cutoff(), [(7, n) for n in range(3)], N_NEW)
            yield [PROMPTS[2], PROMPTS[0]], likeliest
            yield [PROMPTS[0], PROMPTS[4], PROMPTS[0]], NoRepeatedNgrams(sampled, 2, [()] * 3)
            yield [PROMPTS[0], PROMPTS[1]], NoRepeatedNgrams(likeliest, 2, [PROMPTS[0], PROMPTS[1]])

        alone = []
        for prompts, choose in groups():
            alone += decode(model, prompts, N_NEW, choose=choose).tokens
        lengths = [6, 6, 2, 6, 6, 6, 3]
        asked = [prompt for prompts, _ in groups() for prompt in prompts]
        choose = EachItsOwn([(len(prompts), choose) for prompts, choose in groups()])
        together = decode(model, asked, N_NEW, After(lengths), choose, batch_size=batch_size)
        assert together.tokens == tuple(said[:n] for said, n in zip(alone, lengths, strict=True))

    def test_banning_the_prompts_ngrams_is_what_generate_does(self, checkpoints):
        from harness.models.answers.decoding import likeliest

        model = load(checkpoints["gpt2"])
        prompts = [[3, 4, 3, 4, 3], [9, 9, 9, 9], [5, 9, 33, 5, 9]]
        banned = decode(model, prompts, 12, choose=NoRepeatedNgrams(likeliest, 2, prompts))
        assert banned.tokens == tuple(one_by_one(model, prompt, 12, no_repeat_ngram_size=2) for prompt in prompts)

    def test_a_ban_within_the_answer_lets_the_prompt_be_repeated(self, checkpoints):
        from harness.models.answers.decoding import likeliest

        model = load(checkpoints["gpt2"])
        free = decode(model, PROMPTS, 12).tokens
        answers = decode(model, PROMPTS, 12, choose=NoRepeatedNgrams(likeliest, 2, [()] * len(PROMPTS))).tokens
        for said, unbanned in zip(answers, free, strict=True):
            pairs = list(pairwise(said))
            assert len(pairs) == len(set(pairs))
            assert said[:2] == unbanned[:2]  # nothing can repeat before the third token


def test_compatibility_mode_is_refused(checkpoints):
    config = ModelConfig(name=str(checkpoints["gpt2"]), compatibility_mode=True)
    with pytest.raises(Rejected, match="compatibility_mode"):
        CausalModel.load(resolve_identity(config), config)
