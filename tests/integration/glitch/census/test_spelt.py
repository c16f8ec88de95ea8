"""Tokens put to a model as several ids: how they are asked, and what counts as saying them."""

from pathlib import Path

import pytest

from harness.glitch.census.interviewer import Interviewer, joined
from harness.glitch.census.matching import MatchedBy
from harness.glitch.census.questions import Question
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import make_wordings
from harness.models.config import ModelConfig, TokenizerConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from harness.models.tokenizers import Tokenizer
from harness.models.vocab_facts import VocabFacts
from harness.tokens.removal.longer import Longer
from harness.tokens.removal.removal import Removal, remove_tokens
from harness.tokens.removal.writing import write_patched
from tests.helpers.scripted_census import answering_model, write_model

pytestmark = pytest.mark.integration

Script = dict[tuple[int, ...], list[int]]


def test_pieces_in_a_row_are_the_token() -> None:
    assert joined([5, 1, 2, 3, 1, 2], (1, 2), 9) == [5, 9, 3, 9]
    assert joined([1, 1, 1], (1, 1), 9) == [9, 1]
    assert joined([1, 3, 2], (1, 2), 9) == [1, 3, 2]
    assert joined([], (1, 2), 9) == []


class Clinic:
    """A tiny model without ` the`, which is ` t` and `he` now."""

    def __init__(self, folder: Path) -> None:
        config = ModelConfig(name=str(write_model(folder / "model")), device="cpu")
        identity = resolve_identity(config)
        tokenizer = load_tokenizer(identity, config)
        assert tokenizer is not None
        self.before: Tokenizer = tokenizer
        self.facts: VocabFacts = load_facts(identity, config, None, tokenizer)
        self.the, self.t, self.he = (tokenizer.ids_of_text(text)[0] for text in (" the", " t", "he"))
        self.removal: Removal = remove_tokens(tokenizer.definition, [self.the], Longer.LOSE)
        write_patched(tokenizer, self.removal, folder / "after")
        after = load_tokenizer(None, ModelConfig(), TokenizerConfig(str(folder / "after")))
        assert after is not None
        self.after: Tokenizer = after

    def question(self, name: str) -> Question:
        found = {wording.name: wording.question for wording in make_wordings(self.before, self.facts)}[name]
        assert found is not None
        return found

    def prompt(self, name: str, ids: tuple[int, ...]) -> tuple[int, ...]:
        """By the patched tokenizer, with `ids` in every slot."""
        pieces = self.question(name).anew().prompt(-1, self.after)
        return tuple(i for piece in pieces for i in (ids if piece == -1 else (piece,)))

    def asker(self, script: Script) -> Interviewer:
        model = answering_model(self.facts, self.before, script)
        vocabulary = CensusVocabulary.read(self.before, self.facts)
        plain = Interviewer(model, self.before, vocabulary, self.facts.special_ids)
        return plain.spelt(self.after, self.removal.pieces)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(tmp_path_factory.mktemp("spelt"))


@pytest.mark.parametrize("name", ["glitchhunter", "glitchminer", "echo_1"])
def test_a_token_is_asked_by_its_pieces_and_said_by_them(clinic: Clinic, name: str) -> None:
    question, pieces = clinic.question(name), (clinic.t, clinic.he)
    assert clinic.removal.pieces == {clinic.the: pieces}
    prompt = clinic.prompt(name, pieces)
    assert clinic.the not in prompt
    opened, closed = ("", question.closing) if question.closing else ("'", "'")
    right = [*clinic.after.encode(opened), *pieces, *clinic.after.encode(closed + "\n")]
    wrong = [*clinic.after.encode(opened), clinic.t, *clinic.after.encode(closed + "\n")]
    for answer, matched in ((right, MatchedBy.ID), (wrong, MatchedBy.NOTHING)):
        (said,) = clinic.asker({prompt: answer}).ask(question, [clinic.the]).answers
        assert said.judgement.matched_by is matched
        # As far as the answer goes: the first piece alone ends none.
        assert said.answer_ids[: len(answer) - 1] == tuple(answer[:-1])


def test_an_answer_for_the_removed_id_is_no_answer_for_the_pieces(clinic: Clinic) -> None:
    quote = clinic.after.encode("'")
    by_id = {clinic.prompt("glitchhunter", (clinic.the,)): [*quote, clinic.the, *quote]}
    (said,) = clinic.asker(by_id).ask(clinic.question("glitchhunter"), [clinic.the]).answers
    assert not said.judgement.passed


def test_other_tokens_are_asked_as_before_with_prompts_of_the_other_tokenizer(clinic: Clinic) -> None:
    name, quote = "glitchhunter", clinic.after.encode("'")
    # The prompt's own words hold ` the`, which is cut anew.
    before = clinic.question(name).prompt(-1, clinic.before)
    after = clinic.question(name).anew().prompt(-1, clinic.after)
    assert (clinic.the in before, clinic.the in after) == (True, False)
    script = {clinic.prompt(name, (i,)): [*quote, i, *quote] for i in (65, 66)}
    answers = clinic.asker(script).ask(clinic.question(name), [66, clinic.the, 65]).answers
    assert [answer.token_id for answer in answers] == [66, clinic.the, 65]
    assert [answer.judgement.passed for answer in answers] == [True, False, True]


def test_a_long_spelling_has_as_much_more_room_as_it_is_longer(clinic: Clinic) -> None:
    pieces = tuple(range(65, 79))
    asker = clinic.asker({}).spelt(clinic.after, {clinic.the: pieces})
    quote = clinic.after.encode("'")
    assert clinic.question("glitchhunter").max_new_tokens < len(pieces)
    asker = asker.on(
        answering_model(clinic.facts, clinic.before, {clinic.prompt("glitchhunter", pieces): [*quote, *pieces, *quote]})
    )
    (said,) = asker.ask(clinic.question("glitchhunter"), [clinic.the]).answers
    assert said.judgement.matched_by is MatchedBy.ID
