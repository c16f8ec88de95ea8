"""A census of a model whose wrong answers are known beforehand finds exactly them."""

import pytest

from harness.errors import Rejected
from harness.glitch.census.rules import VerdictRule
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.tokens.prompts import Task
from tests.helpers.scripted_census import EXTRA_ROWS, scripted_model, write_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]

CAP, ON = 260, 261
"""Ids of the tokens "cap" and "on"."""


WRONG = {
    Task.REPETITION: {CAP: " 'CAPABLE'", 200: " I am sorry", 40: " 'l'"},
    Task.SPELLING: {CAP: " c-a-q", ON: " o-m"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("scripted"))


def take_census(folder, results, monkeypatch, wrong, seed=0, **exp):
    monkeypatch.setattr(CausalModel, "load", lambda identity, config: scripted_model(identity, config, wrong))
    return execute(config_of(folder, results, seed, **exp))


def config_of(folder, results, seed=0, **exp):
    from experiments.census.config import CensusConfig

    return RunConfig(
        exp_name="census",
        exp=CensusConfig(verdict=VerdictRule.PUBLISHED, **exp),
        model=ModelConfig(name=str(folder), device="cpu"),
        pools={"unused": "byte_unused", "common": tuple(range(65, 91))},
        seed=seed,
        results_dir=results,
        tracker=TrackerConfig(kind=TrackerKind.NONE),
    )


@pytest.fixture(scope="module")
def planted(folder, tmp_path_factory):
    """A census in which the tokens 40, 200, "cap" and "on" fail."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return take_census(folder, tmp_path_factory.mktemp("planted"), monkeypatch, WRONG)


def identity_of(folder):
    return resolve_identity(ModelConfig(name=str(folder)))


class TestVerdicts:
    def test_exactly_the_planted_tokens_fail(self, planted):
        run, records = planted, planted.records
        assert sorted(records[records["glitch"] == True]["id"]) == [40, 200, CAP, ON]  # noqa: E712
        assert run.metrics["glitch_tokens"] == 4
        assert run.metrics["tested"] == len(records) == 256 + 10 + EXTRA_ROWS
        assert run.metrics["glitch_rate"] == pytest.approx(4 / len(records))
        assert run.metrics["repetition/informative"] == run.metrics["length/informative"] == 1
        assert run.metrics["repetition/pass_rate"] < run.metrics["repetition/pass_rate_any_substring"]

    def test_symptoms_and_types(self, planted):
        records = planted.records.set_index("id")
        assert records.loc[200, "symptom"] == "incapability"
        assert records.loc[CAP, "symptom"] == "spelling_mistake"
        assert records.loc[CAP, "spelling/symptom"] == "spelling_mistake"
        assert records.loc[ON, "type"] == "letter"
        assert records.loc[200, "type"] == "character"

    def test_the_text_and_id_of_a_row_without_a_token(self, folder, tmp_path, monkeypatch):
        run = take_census(folder, tmp_path, monkeypatch, {})
        record = run.records.set_index("id").iloc[-1]
        assert record["repetition/matched_by"] == "id"
        assert record["spelling/passed"] is None
        assert any(f"{EXTRA_ROWS} embedding rows have no token" in note for note in run.notes)

    def test_no_glitch_tokens_is_a_plain_sentence(self, folder, tmp_path, monkeypatch):
        run = take_census(folder, tmp_path, monkeypatch, {})
        assert run.metrics["glitch_tokens"] == 0
        assert run.metrics["glitch_rate"] == 0.0
        assert any(note.startswith("No glitch tokens") for note in run.notes)

    def test_a_sample(self, folder, tmp_path, monkeypatch):
        run = take_census(folder, tmp_path, monkeypatch, {}, n_tokens=20)
        other = take_census(folder, tmp_path, monkeypatch, {}, n_tokens=20, seed=1)
        assert run.metrics["tested"] == 20
        assert list(run.records["id"]) == sorted(run.records["id"]) != list(other.records["id"])
        assert any("20 of 268 tokens" in note for note in run.notes)
        assert not run.details["is_complete"]

    def test_the_size_of_a_shard_changes_no_record(self, planted, folder, tmp_path, monkeypatch):
        other = take_census(folder, tmp_path, monkeypatch, WRONG, shard=70)
        for name in ("metrics.json", "records.jsonl"):
            assert (planted.folder / name).read_bytes() == (other.folder / name).read_bytes()


class TestUninformative:
    def test_a_task_the_model_cannot_do_takes_no_part(self, folder, tmp_path, monkeypatch):
        cannot = {Task.SPELLING: {token: " ???" for token in range(256 + 10)}}
        run = take_census(folder, tmp_path, monkeypatch, cannot)
        assert run.metrics["spelling/informative"] == 0
        assert run.metrics["glitch_tokens"] == 0
        assert any("spelling is uninformative" in note for note in run.notes)
        assert any(note.endswith("(after examples)") for note in run.notes)
        assert run.metrics["spelling/asked"] == 0

    def test_a_task_that_needs_examples_is_asked_after_them(self, folder, tmp_path, monkeypatch):
        cannot = {Task.SPELLING: {token: " ???" for token in range(256 + 10)}}
        monkeypatch.setattr(
            CausalModel, "load", lambda *known: scripted_model(*known, cannot, after_examples={CAP: " c-a-q"})
        )
        run = execute(config_of(folder, tmp_path))
        assert run.details["questions"]["spelling"]["version"].endswith("-shots4-1")
        assert run.metrics["spelling/informative"] == 1
        assert run.records.set_index("id").loc[CAP, "spelling/passed"] == False  # noqa: E712
        assert run.metrics["glitch_tokens"] == 1
        assert any("after solved examples" in note for note in run.notes)

    def test_asked_all_the_same_it_changes_no_verdict(self, folder, tmp_path, monkeypatch):
        cannot = {Task.SPELLING: {token: " ???" for token in range(256 + 10)}}
        run = take_census(folder, tmp_path, monkeypatch, cannot, ask_all=True)
        assert run.metrics["spelling/asked"] > 0
        assert run.metrics["spelling/pass_rate"] < 0.05  # "?" is spelt "?"
        assert run.metrics["glitch_tokens"] == 0

    def test_a_real_model_that_can_do_nothing(self, folder, tmp_path):
        from experiments.census.config import CensusConfig

        pools = {"common": tuple(range(65, 75))}
        model = ModelConfig(name=str(folder), device="cpu")
        tracker = TrackerConfig(kind=TrackerKind.NONE)
        run = execute(
            RunConfig(
                "census",
                CensusConfig(verdict=VerdictRule.PUBLISHED),
                model=model,
                pools=pools,
                results_dir=tmp_path,
                tracker=tracker,
            )
        )
        assert run.metrics["tested"] == 0
        assert run.metrics["glitch_rate"] is None
        assert run.manifest["exit_code"] == 0
        assert any("No task is within this model's reach" in note for note in run.notes)


class TestLiveOracle:
    def test_it_says_what_the_census_says_and_counts(self, folder):
        from harness.glitch.census.interviewer import Interviewer
        from harness.glitch.census.questions import census_questions
        from harness.glitch.census.vocabulary import CensusVocabulary
        from harness.glitch.detectors.live_oracle import LiveOracle
        from harness.glitch.detectors.oracle import BudgetSpent
        from harness.models.facts import load_facts
        from harness.models.tokenizer_loading import load_tokenizer

        config = ModelConfig(name=str(folder), device="cpu")
        identity = identity_of(folder)
        tokenizer = load_tokenizer(identity, config)
        facts = load_facts(identity, config, None, tokenizer)
        model = scripted_model(identity, config, WRONG)
        interviewer = Interviewer(model, tokenizer, CensusVocabulary.read(tokenizer, facts), facts.special_ids)
        questions = list(census_questions(tokenizer, facts).values())
        oracle = LiveOracle(interviewer, questions, budget=12)
        assert oracle.query([CAP, 65, CAP]) == [True, False, True]
        assert oracle.n_queries == 6
        assert oracle.tokens_processed > 0
        with pytest.raises(BudgetSpent):
            oracle.query([ON, 66, 67])
        assert dict(oracle.answers) == {CAP: True, 65: False, ON: True, 66: False}


def test_a_model_without_a_tokenizer_is_refused(checkpoints, tmp_path):
    from experiments.census.config import CensusConfig

    tracker = TrackerConfig(kind=TrackerKind.NONE)
    config = RunConfig(
        "census",
        CensusConfig(),
        model=ModelConfig(name=str(checkpoints["gpt2"]), device="cpu"),
        pools={"common": tuple(range(5))},
        results_dir=tmp_path,
        tracker=tracker,
    )
    with pytest.raises(Rejected, match="without a tokenizer"):
        execute(config)
