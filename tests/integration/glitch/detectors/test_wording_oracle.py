"""The oracle that prompts the model gives the verdicts that the comparison's table holds."""

import numpy as np
import pytest

from experiments.detectors.truth import make_truth
from harness.errors import RunFailed
from harness.glitch.census.calibration import counting, try_wordings
from harness.glitch.census.families import WordingFamily
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import make_ladder
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import make_wordings
from harness.glitch.detectors.kept_oracle import KeptOracle
from harness.glitch.detectors.querying import find_query, further_wordings, order_of_asking
from harness.glitch.detectors.wording_oracle import WordingOracle
from harness.models.config import ModelConfig
from harness.models.facts import load_facts
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from harness.runs.folder import RunFolder, ShardStore
from harness.tokens.pools import Pool
from tests.helpers.scripted_census import scripted_model, write_model
from tests.helpers.scripted_ladder import ladder_model

pytestmark = pytest.mark.integration

COMMON = tuple(range(65, 91))
ECHOED = ("echo_1", "echo_3", "echo_8", "echo_20")
ASKED = ("glitchhunter", "glitchprober", "glitchminer", "benchmark")
NEVER, ONLY_ECHOED, ONLY_ASKED = frozenset({200, 201, 260}), frozenset({120, 121}), frozenset({130})
"""Fail everywhere, every echo, every question in words."""
WRONG = {**dict.fromkeys(ECHOED, NEVER | ONLY_ECHOED), **dict.fromkeys(ASKED, NEVER | ONLY_ASKED)}


class Setting:
    """A scripted model, ready to be asked."""

    def __init__(self, folder, make, copies=False):
        config = ModelConfig(name=str(folder), device="cpu")
        identity = resolve_identity(config)
        tokenizer = load_tokenizer(identity, config)
        facts = load_facts(identity, config, None, tokenizer)
        model = make(identity, config)
        vocabulary = CensusVocabulary.read(tokenizer, facts)
        interviewer = Interviewer(model, tokenizer, vocabulary, facts.special_ids)
        wordings = [one for one in make_wordings(tokenizer, facts) if copies or one.family is not WordingFamily.COPIED]
        self.ladder = make_ladder(interviewer, wordings, facts, COMMON, 0)
        self.pools = {"common": Pool("common", COMMON, COMMON, "letters", is_proxy=False)}
        self.trials = try_wordings(self.ladder, None, self.pools, 20, 0)
        self.used = order_of_asking(counting(self.trials))

    def truth(self):
        """Every token climbing the whole ladder, as the comparison asks."""
        ids = list(self.ladder.testable_ids)
        answers = {one.name: [] for one in self.used}
        for start in range(0, len(ids), 100):
            for name, found in self.ladder.climb(self.used, ids[start : start + 100]).items():
                answers[name].append(found)
        return make_truth(self.used, answers, {}, further_wordings(self.trials))

    def query(self, looks_again=False):
        """As the experiment finds it."""
        by_name = {trial.name: trial for trial in self.trials}
        return find_query(self.ladder, lambda wording: by_name[wording.name], looks_again)


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    folder = write_model(tmp_path_factory.mktemp("ladder"))
    return Setting(folder, lambda identity, config: ladder_model(identity, config, WRONG))


def test_verdicts_and_margins_are_those_of_the_table(setting):
    truth, query = setting.truth(), setting.query()
    assert [one.name for one in query.wordings] == list(truth.wordings[:2])
    assert len({one.family for one in query.wordings}) == 2
    live = WordingOracle(setting.ladder, query.wordings)
    # In another order and in parts: neither may matter.
    order = np.random.default_rng(0).permutation(truth.ids).tolist()
    fails = [verdict for start in range(0, len(order), 7) for verdict in live.query(order[start : start + 7])]
    assert [live.answers[i] for i in truth.ids.tolist()] == truth.fails.tolist()
    assert dict(zip(order, fails, strict=True)) == live.answers
    assert {i for i, fail in live.answers.items() if fail} == NEVER
    margins = np.array([live.margins[i] for i in truth.ids.tolist()])
    assert np.array_equal(margins, truth.margin, equal_nan=True)
    assert np.isfinite(margins).any()


def test_no_query_costs_more_than_its_price_says(setting):
    query = setting.query()
    live = WordingOracle(setting.ladder, query.wordings)
    for token in (*NEVER, *ONLY_ECHOED, *ONLY_ASKED, 40, 41):
        before = live.tokens_processed
        live.query([token])
        assert 0 < live.tokens_processed - before <= query.price.most
    passing = [i for i in range(65, 91)]
    before = live.tokens_processed
    assert not any(live.query(passing))
    assert (live.tokens_processed - before) / len(passing) == pytest.approx(query.price.usual, abs=1)


def test_a_model_that_is_right_about_all_fails_nowhere(tmp_path):
    setting = Setting(write_model(tmp_path), lambda identity, config: scripted_model(identity, config, {}))
    live = WordingOracle(setting.ladder, setting.query().wordings)
    ids = sorted(set(setting.ladder.testable_ids) & live.askable)
    assert not any(live.query(ids))
    assert setting.truth().fails.sum() == 0


def test_what_cannot_be_asked_is_refused(setting):
    with pytest.raises(RunFailed, match="nothing to ask"):
        WordingOracle(setting.ladder, ())
    live = WordingOracle(setting.ladder, setting.query().wordings)
    with pytest.raises(RunFailed, match="can ask about 1 of the tokens, the first of them id 9999"):
        live.query([70, 9999])


def test_kept_verdicts_come_back_with_their_margins_and_prices(setting, tmp_path):
    query, shards = setting.query(), ShardStore(RunFolder(tmp_path))
    first = KeptOracle(WordingOracle(setting.ladder, query.wordings), shards)
    first.query([70, 200])
    first.query([120, 71])
    inner = WordingOracle(setting.ladder, query.wordings)
    again = KeptOracle(inner, shards)
    assert again.query([70, 200]) == [False, True]
    assert again.query([120, 71]) == [False, False]
    assert not inner.answers, "nothing was asked again"
    assert again.margins == first.margins
    assert set(first.margins) == {70, 200, 120, 71}
    assert again.tokens_processed == first.tokens_processed > 0


MISREAD = frozenset({200, 260, 40})
"""Copied as another token."""


@pytest.fixture(scope="module")
def echoing(tmp_path_factory):
    wrong = {**dict.fromkeys(ECHOED, NEVER), **dict.fromkeys(ASKED, True)}
    folder = write_model(tmp_path_factory.mktemp("echoing"))
    return Setting(folder, lambda identity, config: ladder_model(identity, config, wrong, misread=MISREAD), copies=True)


class TestCopyingAsTheSecondFamily:
    """A model that only echoes: what it can't echo is copied, or it is a glitch token."""

    def test_a_token_fails_that_is_neither_echoed_nor_copied(self, echoing):
        query = echoing.query()
        assert [one.family for one in query.wordings] == [WordingFamily.ECHOED, WordingFamily.COPIED]
        live = WordingOracle(echoing.ladder, query.wordings)
        ids = [*sorted(NEVER), 40, *range(65, 91)]
        fails = live.query(ids)
        assert {token for token, fail in zip(ids, fails, strict=True) if fail} == NEVER & MISREAD

    def test_it_never_costs_more_than_its_price(self, echoing):
        query = echoing.query()
        for some in ([200], [201, 260], [*NEVER, 40, 41]):
            live = WordingOracle(echoing.ladder, query.wordings)
            live.query(some)
            assert 0 < live.tokens_processed <= len(some) * query.price.most


class TestSecondLooks:
    NARROW, DEEP = 150, 200

    @pytest.fixture
    def narrow(self, setting, tmp_path_factory):
        """150 fails the two wordings of a query and no other, 200 all."""
        wrong = {name: {self.DEEP} for name in (*ASKED, *ECHOED)}
        for one in setting.query().wordings:
            wrong[one.name] = {self.DEEP, self.NARROW}
        folder = write_model(tmp_path_factory.mktemp("narrow"))
        return Setting(folder, lambda identity, config: ladder_model(identity, config, wrong))

    def test_they_ask_as_the_table_of_the_comparison_does(self, narrow):
        truth, query = narrow.truth(), narrow.query(looks_again=True)
        assert query.further == further_wordings(narrow.trials) != ()
        assert not narrow.query().further
        live = WordingOracle(narrow.ladder, query.wordings, query.further)
        assert live.query([self.NARROW, self.DEEP]) == [True, True]
        before = live.tokens_processed
        assert live.settle([self.NARROW, self.DEEP]) == [False, True]
        assert dict(live.answers) == {self.NARROW: False, self.DEEP: True}
        assert 0 < live.tokens_processed - before <= 2 * query.price.settling
        settled = dict(zip(truth.ids.tolist(), truth.settled.tolist(), strict=True))
        assert not settled[self.NARROW]
        assert settled[self.DEEP]

    def test_they_come_back_after_an_interruption(self, narrow, tmp_path):
        query, shards = narrow.query(looks_again=True), ShardStore(RunFolder(tmp_path))
        oracles = []
        for _ in range(2):
            inner = WordingOracle(narrow.ladder, query.wordings, query.further)
            kept = KeptOracle(inner, shards)
            kept.query([70, self.NARROW, self.DEEP])
            kept.settle([self.NARROW])
            oracles.append((inner, kept))
        (_, first), (inner, again) = oracles
        assert not inner.answers, "nothing was asked again"
        assert dict(again.answers) == dict(first.answers) == {70: False, self.NARROW: False, self.DEEP: True}
        assert again.margins == first.margins
        assert again.tokens_processed == first.tokens_processed
