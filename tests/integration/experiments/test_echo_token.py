"""The echo test of a model that echoes all but one token."""

import pytest

from harness.errors import Rejected
from harness.glitch.census.questions import leading_ids
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.tokenizer_loading import load_tokenizer
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.tokens.prompts import MAGIKARP_INPUT_OUTPUT_SHOTS, splice
from harness.tokens.prompts.rules import BosRule
from tests.helpers.scripted_census import answering_model, write_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]

N_SHOTS = 3
MUTE = 70


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("echo") / "tiny")


def echoing_model(identity, config):
    """Says every token and the closing mark, of MUTE "zebra"."""
    tokenizer = load_tokenizer(identity, config)
    facts = load_facts(identity, config, None, tokenizer)
    answers = {}
    for token in range(256):
        front = leading_ids(tokenizer, facts, BosRule.AUTO)
        prompt = (*front, *splice(MAGIKARP_INPUT_OUTPUT_SHOTS.text(N_SHOTS), token, tokenizer.encode))
        said = tokenizer.encode("zebra") if token == MUTE else [token]
        answers[prompt] = [*said, *tokenizer.encode("»\n")]
    return answering_model(facts, tokenizer, answers)


def echo(folder, results, **exp):
    from experiments.echo_token.config import EchoTokenConfig

    return execute(
        RunConfig(
            exp_name="echo_token",
            exp=EchoTokenConfig(n_shots=N_SHOTS, n_seeds=4, **exp),
            model=ModelConfig(name=str(folder), device="cpu"),
            pools={"unused": (70, 71), "common": tuple(range(65, 70))},
            results_dir=results,
            tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )


def test_success_what_was_said_instead_and_the_articles_artefact(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(CausalModel, "load", echoing_model)
    run = echo(folder, tmp_path)
    assert run.metrics["common/greedy/success"] == 1.0
    assert run.metrics["unused/greedy/success"] == 0.5
    # After the trials the prompt holds the 2-gram that the right answer would repeat: the article's ban forbids it.
    assert run.metrics["common/article_greedy/success"] == 0.0
    assert run.metrics["informative"] == 1
    records = run.records.set_index("item")
    assert records.loc[f"unused/{MUTE}", "greedy/instead"] == [["zebra", 1]]
    assert records.loc["common/66", "greedy/instead"] == []
    assert run.metrics["common/greedy/success/ci_low"] < 1.0
    assert any("article settings" in note for note in run.notes)


def test_one_token_by_its_text(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(CausalModel, "load", echoing_model)
    run = echo(folder, tmp_path, token="cap", no_repeat_ngram=0)
    assert list(run.records["item"]) == ["token/260"]
    assert not any("article" in name for name in run.metrics)


@pytest.mark.parametrize(("token", "problem"), [("caps", "is 2 tokens"), (9999, "an id from 0 to")])
def test_what_is_no_token_is_refused(folder, tmp_path, token, problem):
    with pytest.raises(Rejected, match=problem):
        echo(folder, tmp_path, token=token)


def test_a_prompt_beyond_the_window_is_said_plainly(folder, tmp_path):
    from experiments.echo_token.config import EchoTokenConfig

    run = execute(
        RunConfig(
            exp_name="echo_token",
            exp=EchoTokenConfig(n_shots=20),
            model=ModelConfig(name=str(folder), device="cpu", n_ctx=64),
            pools={"common": (66,)},
            results_dir=tmp_path,
            tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )
    assert run.manifest["exit_code"] == 0
    assert run.metrics == {}
    assert any("uninformative" in note and "the window holds 64" in note for note in run.notes)
