"""The judge on trial: tokens about which a perfect answer is told from none."""

import pytest

from harness.glitch.census.askable import askable_ids
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import make_wordings
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from tests.helpers.scripted_census import EXTRA_ROWS, answering_model, write_model

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def interviewer(tmp_path_factory):
    folder = write_model(tmp_path_factory.mktemp("askable"))
    config = ModelConfig(name=str(folder), device="cpu")
    identity = resolve_identity(config)
    tokenizer = load_tokenizer(identity, config)
    facts = load_facts(identity, config, None, tokenizer)
    wordings = {wording.name: wording.question for wording in make_wordings(tokenizer, facts)}
    vocabulary = CensusVocabulary.read(tokenizer, facts)
    return Interviewer(answering_model(facts, tokenizer, {}), tokenizer, vocabulary, facts.special_ids), wordings


@pytest.mark.parametrize("name", ["glitchhunter", "benchmark", "glitchminer", "echo_1"])
def test_every_token_can_be_asked_about_but_those_that_end_a_text(interviewer, name):
    asker, wordings = interviewer
    every = range(asker.model.d_vocab)
    found = askable_ids(asker, wordings[name], every)
    left_out = [i for i in every if i not in found]
    # Quotation marks, line ends, spaces, half characters, rows without a token can be; what ends a text can't.
    assert left_out == [i for i in every if asker.ends_text(i)]
    assert set(asker.vocabulary.unnamed_ids) <= found
    assert len(asker.vocabulary.unnamed_ids) == EXTRA_ROWS


def test_a_judge_that_takes_nothing_lets_nothing_be_asked(interviewer, monkeypatch):
    asker, wordings = interviewer
    monkeypatch.setattr(type(asker), "judge", lambda *_: _Wrong())
    assert askable_ids(asker, wordings["glitchhunter"], range(50)) == frozenset()


class _Wrong:
    class judgement:
        passed = False


def test_an_answer_is_cut_where_decoding_would_stop(interviewer):
    asker, wordings = interviewer
    (newline,) = asker.tokenizer.encode("\n")
    (quote,) = asker.tokenizer.encode("'")
    open_ended, opened = wordings["glitchhunter"], wordings["glitchminer"]
    assert asker.cut(open_ended, [65, 66], [[quote, 65, quote], [quote, 70, newline, 66]]) == [
        [quote, 65], [quote, 70, newline],
    ]  # fmt: skip
    # A line end is in nearly every answer: it ends none before it was looked for inside the signs.
    assert asker.cut(open_ended, [newline], [[quote, newline, quote]]) == [[quote, newline]]
    assert asker.cut(opened, [newline], [[newline, quote]]) == [[newline]]
