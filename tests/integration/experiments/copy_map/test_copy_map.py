"""exp=copy_map on models whose answers are known, on random ones, and interrupted."""

import json
import math

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from experiments.copy_map import asking
from experiments.copy_map.asking import Stage
from experiments.copy_map.config import CopyMapConfig
from harness.errors import Rejected
from harness.glitch.copying import reading
from harness.glitch.copying.draws import Material, draw_round
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.notebook import run as run_by_words
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.runs.lifecycle import open_run
from harness.runs.preparing import prepare
from tests.helpers.copying import HEIGHT, CopyRule

pytestmark = pytest.mark.integration

COMMON = tuple(range(3, 50))
MISREAD = frozenset({7, 20, 33, 55, 60})
TOTAL = math.log(math.exp(HEIGHT) + 63)


def config_of(folder, results, **exp):
    return RunConfig(
        exp_name="copy_map",
        exp=CopyMapConfig(**{"seq_len": 12, "n_worst": 5, "n_appearances_worst": 4, "n_calibration": 24, **exp}),
        model=ModelConfig(name=str(folder), device="cpu"),
        pools={"common": COMMON},
        results_dir=results,
        tracker=TrackerConfig(kind=TrackerKind.NONE),
    )


def measured(config):
    """The run without pictures, which take longer than such a model."""
    with open_run(prepare(config)) as opened:
        opened.compute()
        return opened.complete()


def by_rule(folder, results, rule, answer=measured, **exp):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CausalModel, "load", lambda *_: CausalModel(rule, 32))
        return answer(config_of(folder, results, **exp))


@pytest.fixture(scope="module")
def planted(checkpoints, tmp_path_factory):
    """A model that copies everything but five tokens."""
    return by_rule(checkpoints["llama"], tmp_path_factory.mktemp("planted"), CopyRule(64, MISREAD), execute)


class TestKnownAnswers:
    def test_exactly_the_planted_tokens_are_not_copied(self, planted):
        arrays = planted.arrays
        # Llama's BOS and EOS, 1 and 2, have a job.
        assert arrays["ids"].tolist() == [0, *range(3, 64)]
        assert frozenset(arrays["ids"][arrays["not_copied"] == 1].tolist()) == MISREAD
        assert set(arrays["missed"].tolist()) == {0, 3}
        assert planted.metrics["not_copied"] == 5
        assert planted.metrics["not_copied_share"] == pytest.approx(5 / 62)
        assert planted.metrics["not_copied_share/ci_low"] < 5 / 62 < planted.metrics["not_copied_share/ci_high"]
        assert planted.details["left_out"] == [1, 2]

    def test_log_probs_ranks_and_effects_are_those_of_the_rule(self, planted):
        arrays = planted.arrays
        missed = arrays["not_copied"] == 1
        np.testing.assert_allclose(arrays["logprob"][~missed], HEIGHT - TOTAL, atol=1e-5)
        np.testing.assert_allclose(arrays["logprob"][missed], -TOTAL, atol=1e-5)
        # After the other half nothing is expected.
        np.testing.assert_allclose(arrays["logprob_control"], -math.log(64), atol=1e-5)
        np.testing.assert_allclose(arrays["copy_effect"][missed], math.log(64) - TOTAL, atol=1e-5)
        # The rule lifts the token that comes, or one beside it that is neither token nor foil.
        np.testing.assert_allclose(arrays["logit_diff"][~missed], HEIGHT, atol=1e-5)
        assert set(arrays["rank"][~missed].tolist()) == {1.0}
        # One above it, 62 tied with it.
        assert set(arrays["rank"][missed].tolist()) == {64.0}
        assert [planted.metrics[f"below_{nats}"] for nats in (3, 5, 8)] == [5, 5, 5]

    def test_the_worst_are_asked_again_as_often_as_stated(self, planted):
        assert frozenset(planted.arrays["worst/ids"].tolist()) == MISREAD
        assert planted.arrays["worst/missed"].tolist() == [4] * 5
        assert planted.metrics["worst/not_copied"] == 5
        np.testing.assert_allclose(planted.arrays["worst/logprob/ci_low"], -TOTAL, atol=1e-4)

    def test_well_known_tokens_come_first_and_count(self, planted):
        assert planted.metrics["calibration/n"] == 24
        assert planted.metrics["informative"] == 1
        headline = planted.headline
        assert (headline[0].label, headline[0].values["tokens"]) == ("not copied", "5 of 62")
        assert any("every sequence is read whole" in note for note in planted.notes)

    def test_a_model_that_copies_nothing_is_said_to_say_nothing(self, checkpoints, tmp_path):
        stored = by_rule(checkpoints["llama"], tmp_path, CopyRule(64, copies=False), execute)
        assert stored.metrics["not_copied"] == 62
        assert stored.metrics["calibration/copied"] == 0
        assert stored.metrics["informative"] == 0
        assert "says nothing about training" in stored.headline[0].label
        assert any("This model does not copy" in note for note in stored.notes)

    def test_what_was_found_by_chance_is_not_found_again(self, checkpoints, tmp_path):
        """Tokens chosen for being unlucky come out better in fresh draws, and the estimate says so."""

        class Moody(CopyRule):
            def forward(self, input_ids, use_cache=False, logits_to_keep=0):
                out = super().forward(input_ids, use_cache, logits_to_keep)
                noise = torch.Generator().manual_seed(int(input_ids.sum()))
                out.logits += 4 * torch.randn(out.logits.shape, generator=noise)
                return out

        stored = by_rule(checkpoints["llama"], tmp_path, Moody(64), n_worst=10, n_appearances_worst=12)
        assert stored.metrics["worst/logprob_mean"] > stored.metrics["worst/logprob_when_chosen"] + 1


class TestRandomWeights:
    def test_numbers_are_those_of_whole_sequences(self, checkpoints, tmp_path):
        stored = measured(config_of(checkpoints["llama"], tmp_path, n_worst=0, n_appearances=1))
        model = CausalModel.load(*identified(checkpoints["llama"]))
        order = np.random.default_rng([0, 0]).permutation(np.array([0, *range(3, 64)])).tolist()
        alone = np.arange(64)
        # None of these rows coincide.
        assert set(stored.arrays["alike"].tolist()) == {1}
        material = Material(alone, np.array(COMMON), alone)
        pairs = draw_round(material, order, 6, 6, 12, np.random.default_rng([0, Stage.TOKENS, 0, 0]))
        for number, half in enumerate(pairs.halves):
            for name, first in (("logprob", half), ("logprob_control", pairs.halves[number ^ 1])):
                tokens = torch.from_numpy(np.concatenate([[1], first, half]))[None]
                expected = model.logits(tokens)[0].log_softmax(-1)
                for place, token, is_asked in zip(pairs.places, half[pairs.places], pairs.asked[number], strict=True):
                    if is_asked:
                        found = stored.arrays[name][stored.arrays["ids"].tolist().index(token)]
                        assert found == pytest.approx(float(expected[12 + place, token]), abs=1e-4)

    @pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "mamba"])
    def test_every_kind_of_model_is_answered(self, checkpoints, tmp_path, name):
        stored = measured(config_of(checkpoints[name], tmp_path))
        assert stored.metrics["tokens"] >= 61
        assert stored.metrics["informative"] == 0
        assert any("read whole" in note for note in stored.notes) is (name == "mamba")

    def test_without_known_common_tokens_random_ones_calibrate(self, checkpoints, tmp_path):
        words = ["exp.seq_len=12", "exp.n_worst=0", "pools.common=auto", "tracker=none", f"results_dir={tmp_path}"]
        stored = run_by_words("copy_map", f"model.name={checkpoints['llama']}", *words)
        assert stored.details["calibration"]["is_well_known"] is False
        assert "nothing tells which are well known" in stored.notes[0]

    def test_a_token_s_draws_do_not_depend_on_how_many_are_asked(self, checkpoints, tmp_path, monkeypatch):
        monkeypatch.setattr(asking, "BLOCK_PAIRS", 1)
        few, many = (measured(config_of(checkpoints["llama"], tmp_path, n_worst=0, n_tokens=n)) for n in (24, 36))
        rows = {row["item"]: row for row in many.record_rows()}
        assert len(rows) == 36
        for row in few.record_rows():
            assert row["logprob"] == pytest.approx(rows[row["item"]]["logprob"], abs=1e-5)
            assert row["rank"] == rows[row["item"]]["rank"]

    def test_an_interrupted_run_ends_with_the_same_bytes(self, checkpoints, tmp_path, monkeypatch):
        monkeypatch.setattr(asking, "BLOCK_PAIRS", 1)
        calls = []
        count = reading.prediction_statistics

        def counted(logits, targets):
            calls.append(1)
            if len(calls) == stops[0]:
                raise KeyboardInterrupt
            return count(logits, targets)

        monkeypatch.setattr(reading, "prediction_statistics", counted)
        stops = [0]
        whole = measured(config_of(checkpoints["llama"], tmp_path / "whole"))
        n_all = len(calls)
        for stops[0] in (9, 20):
            calls.clear()
            with pytest.raises(KeyboardInterrupt):
                measured(config_of(checkpoints["llama"], tmp_path / "cut"))
        stops[0] = 0
        calls.clear()
        cut = measured(config_of(checkpoints["llama"], tmp_path / "cut"))
        assert len(calls) < n_all - 20
        for name in ("metrics.json", "arrays.safetensors", "records.jsonl", "details.json"):
            assert (cut.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name

    def test_tokens_that_coincide_are_named(self, checkpoints, tmp_path):
        with_twins(checkpoints["llama"], tmp_path / "twins", 50, 54)
        stored = measured(config_of(tmp_path / "twins", tmp_path, n_worst=60))
        # 62 asked, four of them the same: 59 to be asked again.
        assert len(set(stored.arrays["worst/ids"].tolist())) == 59
        assert len({50, 51, 52, 53} & set(stored.arrays["worst/ids"].tolist())) == 1
        assert stored.arrays["alike"][stored.arrays["ids"].tolist().index(51)] == 4
        assert any("4 of the tokens have a row that coincides" in note for note in stored.notes)


def with_twins(source, folder, start, stop):
    """The same model, the rows of some tokens all alike."""
    model = LlamaForCausalLM.from_pretrained(source)
    with torch.no_grad():
        for rows in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
            rows[start:stop] = rows[start].clone()
    model.save_pretrained(folder)


def identified(folder):
    config = ModelConfig(name=str(folder), device="cpu")
    return resolve_identity(config), config


class TestRefusals:
    @pytest.mark.parametrize(
        ("exp", "line"),
        [
            ({"seq_len": 16}, "exp.seq_len: got 16, allowed: 2 to 15 (two halves and BOS within the 32 tokens"),
            ({"n_tokens": 63}, "exp.n_tokens: got 63, allowed: 1 to 62"),
        ],
    )
    def test_what_cannot_work(self, checkpoints, tmp_path, exp, line):
        with pytest.raises(Rejected) as error:
            execute(config_of(checkpoints["llama"], tmp_path, **exp))
        assert line in str(error.value)
        assert not list(tmp_path.glob("copy_map/*/metrics.json"))

    def test_too_few_tokens_to_keep_one_another_company(self, checkpoints, tmp_path):
        with_twins(checkpoints["llama"], tmp_path / "twins", 30, 64)
        with pytest.raises(Rejected) as error:
            measured(config_of(tmp_path / "twins", tmp_path, n_worst=0))
        # 0, 3 to 29 and one for all others; two halves of 12 and the 12 tokens under study.
        assert str(error.value) == (
            "exp.seq_len: got 12, allowed: 2 to 9: a pair of halves takes up to 36 tokens, and the model can tell 29 "
            "apart"
        )
        measured(config_of(tmp_path / "twins", tmp_path, n_worst=0, seq_len=9))

    @pytest.mark.parametrize(
        ("word", "line"),
        [
            ("exp.batch_size=3", "exp.batch_size: got 3, allowed: 2 or more, even"),
            ("exp.thresholds=[1.0]", "exp.thresholds: got"),
            ("exp.n_appearances_worst=1", "exp.n_appearances_worst: got 1, allowed: 2 or more"),
            ("exp.census=/nowhere", "exp.census: got '/nowhere', allowed: the folder of a finished run of exp=census"),
        ],
    )
    def test_what_no_model_could_do(self, word, line, tmp_path):
        with pytest.raises(Rejected) as error:
            run_by_words("copy_map", word, "tracker=none", f"results_dir={tmp_path}")
        assert line in str(error.value)


@pytest.fixture(scope="module")
def pocket(tmp_path_factory):
    """A sample of the embedded model's tokens, and a census of some of them."""
    results = tmp_path_factory.mktemp("pocket")
    common = ["tracker=none", f"results_dir={results}"]
    census = run_by_words("census", "exp.n_tokens=120", *common)
    words = ["exp.n_tokens=480", "exp.n_worst=24", "exp.n_calibration=48", f"exp.census={census.folder}"]
    return run_by_words("copy_map", *words, *common)


@pytest.mark.slow
class TestPocket:
    def test_what_training_never_showed_is_not_copied_and_the_rest_is(self, pocket):
        exposures, missed = pocket.arrays["exposures"], pocket.arrays["not_copied"] == 1
        assert pocket.metrics["informative"] == 1
        assert missed[exposures == 0].mean() > 0.95
        assert missed[exposures >= 1000].mean() < 0.05
        assert pocket.metrics["indicator/cosine/roc_auc"] > 0.9

    def test_exposures_cause_copying_and_those_in_tasks_are_not_what_counts(self, pocket):
        metrics, arrays = pocket.metrics, pocket.arrays
        assert metrics["exposures/planted/coefficient/ci_low"] > 0
        assert metrics["exposures/tasks/planted_shift/ci_high"] < 0
        assert pocket.details["what_counts"]["most"] == 4096
        assert {fit["why_none"] for fit in pocket.details["what_counts"]["fits"]} == {None}
        streams = sum(arrays[f"exposures/{stream}"] for stream in ("text", "repeats", "tasks"))
        np.testing.assert_array_equal(streams, arrays["exposures"])
        assert set(arrays["exposures"][arrays["planted"] == 1]) <= {0, 1, 4, 16, 64, 256, 1024, 4096}

    def test_it_is_held_against_the_census(self, pocket):
        counts = [pocket.metrics[f"census/{name}"] for name in ("both", "only_copy_map", "only_census", "neither")]
        verdicts = pocket.arrays["census"]
        assert sum(counts) == pocket.metrics["census/n"] == int((verdicts >= 0).sum()) > 0
        assert counts[0] == int(((verdicts == 1) & (pocket.arrays["not_copied"] == 1)).sum())

    def test_every_picture_and_table_is_there(self, pocket):
        assert set(pocket.figures) == {"histogram", "kinds", "indicators", "exposures", "what_counts", "worst"}
        names = {path.stem for path in (pocket.folder / "tables").glob("*.csv")}
        assert names == {"worst", "kinds", "missed", "exposures", "what_counts", "indicators", "census"}
        assert json.loads((pocket.folder / "headline.json").read_text())[0]["label"] == "not copied"
