"""Every detector finds what is planted, spends no more than it has, and says what it spent."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.detectors.config import DetectorsConfig
from harness.errors import Rejected, RunFailed
from harness.glitch.detectors import _margin_process
from harness.glitch.detectors.active_census import ActiveCensus, ActiveCensusOfVerdicts
from harness.glitch.detectors.detector import Detector, OrderedDetector
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.glitchminer import GlitchMiner
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.indicator_threshold import (
    INDICATOR_THRESHOLDS,
    CosineThreshold,
    CosineWithoutFirstPcThreshold,
    InputNormThreshold,
)
from harness.glitch.detectors.kmeans import KMeansCentroids
from harness.glitch.detectors.logistic_indicators import LogisticIndicators
from harness.glitch.detectors.magikarp import MagikarpRanking
from harness.glitch.detectors.prediction import calibrated
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.random_sample import RandomSample
from harness.glitch.detectors.roster import DETECTORS, make_detector, names
from harness.glitch.detectors.rule_random import RuleRandom
from harness.glitch.detectors.uncertainty_sampling import UncertaintySampling
from harness.runs.config.typed import to_dataclass
from tests.helpers.planted_tokens import (
    ACTIVATION_LENGTH,
    MINING_LENGTH,
    Opener,
    PlantedPasses,
    f1_of,
    planted_view,
)

pytestmark = pytest.mark.unit

NAMES = names()
FEW_TREES = {"n_trees": 5, "n_components": 4, "n_neighbours": 8, "growth": 1.0}
QUICK = SimpleNamespace(
    active_census=ActiveCensus(**FEW_TREES),
    active_census_verdicts=ActiveCensusOfVerdicts(**FEW_TREES),
    glitchhunter=GlitchHunter(k=10, resolution=1.0, scale_resolution=False, n_components=8),
    kmeans=KMeansCentroids(n_clusters=5),
    glitchprober=GlitchProber(n_components=10),
    uncertainty_sampling=UncertaintySampling(growth=0.5),
)
PRICE = QueryPrice(2.0, 5)
CUT_SHORT = ("glitchminer", "uncertainty_sampling", "active_census", "active_census_verdicts")
"""Choose in rounds what to query next, and a budget cuts the round it ends in: what is chosen later depends on it."""
ANEW = ("glitchhunter", "glitchprober")
"""Begin anew for each budget."""


def planted(n=200, share=0.25, price=QueryPrice(), truth=None, tied=True, shares_activations=True):  # noqa: B008 (frozen)
    view, own = planted_view(n, share, price=price)
    truth = own if truth is None else truth
    direction = view.embedding[:4].mean(axis=0)
    hotness = (view.embedding[:n] @ direction) / np.linalg.norm(view.embedding[:n], axis=1)
    passes = PlantedPasses(truth, hotness, direction, shares_activations=shares_activations)
    return replace(view, passes=passes, is_tied=tied), truth


def is_tied_for(name):
    """A tied model has no input norm to go by."""
    return name != "input_norm"


def run(name, view, truth, budgets, seed=0):
    """The reports, and what opened the oracles."""
    opener = Opener(truth, view.price, np.where(truth, -1.0, 1.0))
    return make_detector(name, QUICK).detect(view, opener, budgets, seed), opener


def contents(report):
    return [
        report.asked.tolist(), report.fails.tolist(), report.probability.tolist(), report.predicted.tolist(),
        report.spent, report.spent_on_passes,
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
class TestEveryDetector:
    @settings(max_examples=10, deadline=None)
    @given(
        budgets=st.lists(st.sampled_from([0, 1, 4, 9, 20, 60, 150, 400]) | st.integers(0, 300), min_size=1, max_size=3),
        usual=st.integers(1, 3),
        more=st.integers(0, 5),
        seed=st.integers(0, 3),
        kind=st.sampled_from(["planted", "passes", "fails"]),
        shares_activations=st.booleans(),
    )
    def test_no_budget_is_ever_exceeded_and_everything_is_charged(
        self, name, budgets, usual, more, seed, kind, shares_activations
    ):
        budgets = sorted(budgets)
        truth = None if kind == "planted" else np.full(90, kind == "fails")
        price = QueryPrice(float(usual), usual + more)
        view, truth = planted(90, 0.25, price, truth, is_tied_for(name), shares_activations)
        reports, opener = run(name, view, truth, budgets, seed)
        assert len(reports) == len(budgets)
        for report, budget in zip(reports, budgets, strict=True):
            assert report.spent <= budget
            self.check(report, view, truth, name)
        calls = view.passes.calls
        n_mined = calls["uncertainty"] + calls["entropy_gradient"]
        on_passes = n_mined * MINING_LENGTH
        if name != "glitchprober":
            assert calls["activations"] == 0
        elif not shares_activations:
            on_passes = calls["activations"] * ACTIVATION_LENGTH
        else:
            # A query's own first pass shows the activations of the tokens that were asked.
            on_passes = sum(report.spent_on_passes for report in reports)
            assert on_passes <= calls["activations"] * ACTIVATION_LENGTH
        if name in ANEW:
            assert len(opener.opened) == len(budgets)
            assert sum(report.spent for report in reports) == opener.positions + on_passes
            assert sum(report.spent_on_passes for report in reports) == on_passes
        else:
            assert len(opener.opened) == 1
            assert reports[-1].spent == opener.positions + on_passes
            assert reports[-1].spent_on_passes == on_passes
            assert (np.diff([report.spent for report in reports]) >= 0).all()

    @staticmethod
    def check(report, view, truth, name):
        """What holds of any report."""
        assert len(set(report.asked.tolist())) == len(report.asked) == len(report.fails)
        assert report.fails.tolist() == truth[report.asked].tolist()
        if name == "glitchminer":
            assert report.spent == report.spent_on_passes
        else:
            n_failed = int(report.fails.sum())
            n_passed = len(report.asked) - n_failed
            expected = n_failed * view.price.most + n_passed * int(view.price.usual)
            assert report.spent - report.spent_on_passes == expected
        assert report.probability.shape == (view.n,)
        assert ((report.probability >= 0) & (report.probability <= 1)).all()
        assert report.probability[report.asked].tolist() == report.fails.astype(float).tolist()
        predicted = set(report.predicted.tolist())
        assert report.predicted.tolist() == sorted(predicted)
        assert set(report.asked[report.fails].tolist()) <= predicted
        assert not set(report.asked[~report.fails].tolist()) & predicted
        unasked = np.setdiff1d(view.ids, report.asked)
        is_reported = np.isin(unasked, report.predicted)
        assert (report.probability[unasked[is_reported]] > 0).all()
        if is_reported.any() and not is_reported.all():
            assert report.probability[unasked[is_reported]].min() > report.probability[unasked[~is_reported]].max()

    def test_no_budget_buys_nothing(self, name):
        view, truth = planted(90, price=PRICE, tied=is_tied_for(name))
        (report,), opener = run(name, view, truth, [0])
        assert (len(report.asked), report.spent, opener.positions, sum(view.passes.calls.values())) == (0, 0, 0, 0)
        if not name.startswith("active_census"):
            assert not report.probability.any(), "what has learnt nothing promises nothing"
            assert not len(report.predicted)

    def test_a_seed_says_everything_and_only_to_those_who_draw(self, name):
        kind = make_detector(name, QUICK)
        assert isinstance(kind, Detector)
        assert kind.name == name

        def say(seed):
            view, truth = planted(price=PRICE, tied=is_tied_for(name))
            return [contents(report) for report in run(name, view, truth, [60, 150], seed)[0]]

        first, again, others = say(3), say(3), [say(seed) for seed in (4, 5)]
        assert first == again
        assert any(other != first for other in others) == kind.is_random

    def test_a_smaller_budgets_report_owes_nothing_to_the_larger_ones(self, name):
        view, truth = planted(price=PRICE, tied=is_tied_for(name))
        several, _ = run(name, view, truth, [45, 130, 290])
        for n in (1, 2):
            fewer, _ = run(name, view, truth, [45, 130, 290][:n])
            assert [contents(report) for report in fewer] == [contents(report) for report in several[:n]]

    def test_a_larger_budget_goes_on_from_a_smaller_one_or_makes_no_use_of_it(self, name):
        view, truth = planted(price=PRICE, tied=is_tied_for(name))
        several, _ = run(name, view, truth, [45, 130, 290])
        alone = [run(name, view, truth, [budget])[0][0] for budget in (45, 130, 290)]
        if name in CUT_SHORT:
            # Only the first report is that of a run with its budget alone; this is by design.
            assert contents(several[0]) == contents(alone[0])
            assert contents(several[1]) != contents(alone[1]) or contents(several[2]) != contents(alone[2])
        else:
            assert [contents(report) for report in several] == [contents(report) for report in alone]
        if name not in ANEW:
            for smaller, larger in pairwise(several):
                assert larger.asked[: len(smaller.asked)].tolist() == smaller.asked.tolist()

    @pytest.mark.parametrize("fails", [False, True])
    def test_where_all_answers_are_alike_only_they_are_reported(self, name, fails):
        view, truth = planted(price=PRICE, truth=np.full(200, fails), tied=is_tied_for(name))
        (report,), _ = run(name, view, truth, [150])
        assert len(report.asked)
        assert report.fails.tolist() == [fails] * len(report.asked)
        if name.startswith("active_census"):
            # Its threshold has a prior, and so a place even then.
            share = np.delete(report.probability, report.asked).mean()
            before = run(name, view, truth, [0])[0][0].probability.mean()
            assert share > before + 0.1 if fails else share < before - 0.1
        else:
            assert sorted(report.asked[report.fails].tolist()) == report.predicted.tolist()

    def test_without_a_budget_it_comes_to_its_end(self, name):
        view, truth = planted(120, price=PRICE, tied=is_tied_for(name))
        (report,), opener = run(name, view, truth, [None])
        self.check(report, view, truth, name)
        assert report.spent - report.spent_on_passes == opener.positions
        if not make_detector(name, QUICK).ends_by_itself:
            assert f1_of(report, truth) == 1.0
            assert sorted(report.asked.tolist()) == list(range(120))

    def test_ids_need_not_be_places(self, name):
        """The same rows at other ids: the same places are asked and reported."""
        view, truth = planted(80, price=PRICE, tied=is_tied_for(name))
        (plain,), _ = run(name, view, truth, [150])
        gap = np.zeros((7, view.embedding.shape[1]), dtype=np.float32) + view.embedding[-1]
        moved = {
            key: np.concatenate([gap, getattr(view, key)]) for key in ("embedding", "unembedding")
        }  # fmt: skip
        shifted = PlantedPasses(
            np.concatenate([np.zeros(7, dtype=bool), truth]), np.concatenate([np.zeros(7), view.passes.hotness]),
            view.passes.gradient,
        )  # fmt: skip
        shifted._values[7:] = view.passes._values
        other = replace(
            view, ids=view.ids + 7, texts=("",) * 7 + view.texts, merges=tuple(i + 7 for i in view.merges),
            byte_ids=frozenset(i + 7 for i in view.byte_ids), unused_ids=tuple(i + 7 for i in view.unused_ids),
            passes=shifted, **moved,
        )  # fmt: skip
        (found,), _ = run(name, other, shifted.truth, [150])
        assert len(found.asked) > 10
        assert set(found.asked.tolist()) <= set(other.ids.tolist())
        assert found.spent <= 150
        assert len(found.probability) == 80
        assert found.probability[found.asked - 7].tolist() == found.fails.astype(float).tolist()
        overlap = np.isin(found.asked - 7, plain.asked).mean()
        # Two indicators and the principal directions see the rows of every id, seven more of them now.
        assert overlap > 0.6


class TestCalibration:
    @pytest.mark.parametrize("kind", [kind for kind in DETECTORS if issubclass(kind, OrderedDetector)])
    def test_tokens_not_asked_get_what_isotonic_regression_makes_of_its_score(self, kind):
        view, truth = planted(price=PRICE, tied=is_tied_for(kind.name))
        (report,), _ = run(kind.name, view, truth, [350])
        detector = make_detector(kind.name, QUICK)
        answers = dict(zip(report.asked.tolist(), report.fails.tolist(), strict=True))
        expected = calibrated(detector.scores(view, answers), report.asked, report.fails)
        unasked = np.setdiff1d(view.ids, report.asked)
        assert len(set(report.fails.tolist())) == 2
        assert report.probability[unasked].tolist() == expected[unasked].tolist()

    def test_promises_of_a_control_are_kept(self):
        """Glitch tokens with a chance that rises along the indicator: promised and true shares agree."""
        view, _ = planted_view(3000)
        suspicious = CosineThreshold().scores(view, {})
        ranks = np.argsort(np.argsort(suspicious)) / view.n
        truth = np.random.default_rng(0).random(view.n) < 1 / (1 + np.exp(-20 * (ranks - 0.8)))
        promised, kept = [], []
        for seed in range(8):
            (report,) = CosineThreshold().detect(view, Opener(truth), [600], seed)
            unasked = np.setdiff1d(view.ids, report.asked)
            promised.append(report.probability[unasked])
            kept.append(truth[unasked])
        probability, so = np.concatenate(promised), np.concatenate(kept)
        for low, high in ((0.0, 0.2), (0.2, 0.6), (0.6, 1.01)):
            some = (probability >= low) & (probability < high)
            assert some.sum() > 500
            assert so[some].mean() == pytest.approx(probability[some].mean(), abs=0.05)

    @pytest.mark.parametrize("name", ["glitchminer", "glitchprober"])
    def test_tokens_it_never_looked_at_are_not_reported(self, name):
        view, truth = planted(400, price=PRICE)
        (report,), _ = run(name, view, truth, [400])
        n_seen = max(view.passes.calls["activations"], 5 * len(report.asked))
        assert n_seen < view.n
        assert (report.probability > 0).sum() <= n_seen


class TestRoster:
    def test_controls_published_and_ours_are_told_apart(self):
        ours = [kind.name for kind in DETECTORS if kind.is_ours]
        published = [kind.name for kind in DETECTORS if kind.is_published]
        assert ours == ["active_census_verdicts", "active_census"]
        assert published == ["kmeans", "glitchhunter", "magikarp", "glitchminer", "glitchprober", "rule_random"]
        assert [kind.name for kind in DETECTORS if not kind.is_random] == ["magikarp", "glitchminer"]
        assert [kind.name for kind in DETECTORS if kind.ends_by_itself] == ["glitchhunter", "glitchprober"]
        assert len(set(NAMES)) == len(DETECTORS)

    def test_what_a_model_lacks_is_said_beforehand(self):
        view, _ = planted()
        with_input, without_ids = replace(view, is_tied=False), replace(view, unused_ids=())
        said = {name: make_detector(name, QUICK).obstacle(view) for name in NAMES}
        assert [name for name, reason in said.items() if reason] == ["input_norm"]
        assert InputNormThreshold().obstacle(with_input) is None
        missing = [kind.name for kind in INDICATOR_THRESHOLDS if kind().obstacle(without_ids)]
        assert missing == ["cosine", "centred_cosine", "cosine_without_first_pc", "l2"]
        blind = replace(view, passes=None)
        assert [name for name in NAMES if make_detector(name, QUICK).obstacle(blind)] == [
            "glitchminer", "glitchprober", "input_norm",
        ]  # fmt: skip

    @pytest.mark.parametrize("detector", [GlitchMiner(), GlitchProber()])
    def test_a_model_that_cannot_be_run_is_said_so(self, detector):
        view, truth = planted_view(60)
        with pytest.raises(RunFailed, match="does not fit"):
            detector.detect(view, Opener(truth), [20], 0)


class TestEachFindsItsPlantedCase:
    def test_magikarp_asks_the_collapsed_rows_first(self):
        view, truth = planted()
        (found,) = MagikarpRanking().detect(view, Opener(truth), [int(truth.sum())], 0)
        assert found.fails.mean() > 0.9
        backwards = replace(view, unused_ids=tuple(np.flatnonzero(~truth)[:4].tolist()))
        (worse,) = MagikarpRanking().detect(backwards, Opener(truth), [int(truth.sum())], 0)
        assert worse.fails.mean() < 0.6, "ids that are not unused must mislead it"

    def test_magikarp_ranks_an_untied_model_by_the_input_norm(self):
        view, truth = planted()
        small = view.embedding.copy()
        small[np.flatnonzero(truth)] *= 0.01
        untied = replace(view, embedding=small, is_tied=False, unused_ids=())
        (found,) = MagikarpRanking().detect(untied, Opener(truth), [int(truth.sum())], 0)
        assert found.fails.all()

    def test_kmeans_finds_what_lies_in_the_middle(self):
        view, truth = planted()
        rows = view.embedding.copy()
        rows[np.flatnonzero(truth)] = rows.mean(axis=0) + 0.01 * rows[np.flatnonzero(truth)]
        view = replace(view, embedding=rows)
        (found,) = KMeansCentroids(n_clusters=5, per_cluster=1).detect(view, Opener(truth), [40], 0)
        assert found.fails.mean() > 0.8

    def test_glitchhunter_finds_the_cluster(self):
        view, truth = planted(300, share=0.2, price=PRICE)
        bounded, whole = (run("glitchhunter", view, truth, [budget])[0][0] for budget in (400, None))
        for found in (bounded, whole):
            assert f1_of(found, truth) > 0.8
        assert len(bounded.asked) < len(whole.asked) < view.n
        assert whole.predicted.tolist() == sorted(whole.asked[whole.fails].tolist()), "it tests what it reports"
        assert len(bounded.predicted) > bounded.fails.sum(), "companions of what fails are reported unasked"

    def test_rule_random_leaves_frequent_words_out(self):
        view, _ = planted()
        view = replace(view, texts=(*((" the", " of") * 50), *view.texts[100:]))
        truth = np.random.default_rng(0).random(view.n) < np.where(np.arange(view.n) < 100, 0.1, 0.9)
        (found,) = RuleRandom(share=1.0).detect(view, Opener(truth), [40], 0)
        unasked = np.setdiff1d(view.ids, found.asked)
        assert len(set(found.probability[unasked[unasked < 100]])) == 1
        assert found.probability[unasked[unasked < 100]].mean() < 0.3 < 0.7 < found.probability[unasked[-1]]
        assert set(unasked[unasked >= 100].tolist()) <= set(found.predicted.tolist())

    def test_random_guesses_from_neighbours(self):
        view, truth = planted(400)
        (found,) = RandomSample().detect(view, Opener(truth), [200], 0)
        assert f1_of(found, truth) > 0.9
        noise = np.random.default_rng(1).normal(size=view.embedding.shape).astype(np.float32)
        (lost,) = RandomSample().detect(replace(view, embedding=noise, unembedding=noise), Opener(truth), [200], 0)
        assert f1_of(lost, truth) < 0.8

    @pytest.mark.parametrize("kind", INDICATOR_THRESHOLDS)
    def test_an_indicator_learns_its_threshold(self, kind):
        view, truth = planted(600, share=0.3)
        small = view.embedding.copy()
        small[: view.n] *= np.where(truth, 0.3, 1.0)[:, None]
        view = replace(view, embedding=small, is_tied=kind is not InputNormThreshold)
        if kind is CosineWithoutFirstPcThreshold:
            # What varies most has nothing to do with glitch tokens, and stands in the way of other indicators.
            away = np.random.default_rng(3).normal(size=(2, view.embedding.shape[1]))
            much = 3 * np.random.default_rng(4).normal(size=(len(small), 1)) * away[0] / np.linalg.norm(away[0])
            view = replace(view, unembedding=(view.unembedding + much).astype(np.float32))
            (misled,) = CosineThreshold().detect(view, Opener(truth), [100], 0)
            assert f1_of(misled, truth) < 0.7
        (found,) = kind().detect(view, Opener(truth), [100], 0)
        assert f1_of(found, truth) > 0.85
        # Another truth along the same ranks has another threshold.
        fewer = truth & (kind().scores(view, {}) > np.quantile(kind().scores(view, {}), 0.9))
        (strict,) = kind().detect(view, Opener(fewer), [100], 0)
        assert len(strict.predicted) < 0.6 * len(found.predicted)
        assert f1_of(strict, fewer) > 0.75

    def test_logistic_indicators_learns_which_indicator_counts(self):
        view, _ = planted(600, tied=False)
        rng = np.random.default_rng(2)
        rows = rng.normal(size=view.embedding.shape).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        lengths = rng.uniform(0.5, 1.5, len(rows)).astype(np.float32)
        view = replace(view, embedding=rows * lengths[:, None])
        truth = lengths[: view.n] < 0.75
        (found,) = LogisticIndicators().detect(view, Opener(truth), [150], 0)
        assert f1_of(found, truth) > 0.85
        (lost,) = LogisticIndicators().detect(replace(view, embedding=rows), Opener(truth), [150], 0)
        assert f1_of(lost, truth) < 0.6

    def test_uncertainty_sampling_learns_from_the_tokenizer_alone(self):
        view, _ = planted(600)
        rank = {token: place for place, token in enumerate(view.merges)}
        truth = np.array([rank.get(i, 0) > 450 for i in range(view.n)])
        blind = replace(view, embedding=np.ones_like(view.embedding), unembedding=np.ones_like(view.unembedding))
        (found,) = UncertaintySampling().detect(blind, Opener(truth), [80], 0)
        assert f1_of(found, truth) > 0.95
        near = np.abs(found.asked[8:] - 460).mean()
        assert near < np.abs(found.asked[:8] - 460).mean(), "later queries lie at the boundary"
        (lost,) = UncertaintySampling().detect(replace(blind, merges=()), Opener(truth), [80], 0)
        assert f1_of(lost, truth) < 0.6

    def test_glitchminer_follows_the_entropy(self):
        view, truth = planted(300, share=0.2)
        budget = 70 * MINING_LENGTH
        (found,), opener = run("glitchminer", view, truth, [budget])
        calls = view.passes.calls
        assert found.fails.mean() > 2 * truth.mean()
        assert opener.positions == 0, "its verdicts are its own"
        assert found.spent == MINING_LENGTH * (calls["uncertainty"] + calls["entropy_gradient"])
        assert len(found.asked) == calls["uncertainty"]
        assert calls["entropy_gradient"] == np.ceil(calls["uncertainty"] / 8), "one pass for each batch's gradient"
        lost = replace(view, passes=PlantedPasses(truth, -view.passes.hotness, -view.passes.gradient))
        (worse,) = GlitchMiner(batch_size=8, k=16).detect(lost, Opener(truth), [budget], 0)
        assert worse.fails.mean() < found.fails.mean(), "a gradient turned round must mislead it"

    @pytest.mark.parametrize(("n_passes", "n_asked"), [(0, 0), (1, 0), (2, 1), (9, 8), (10, 8), (11, 9)])
    def test_glitchminer_takes_no_gradient_without_a_token_to_ask(self, n_passes, n_asked):
        view, truth = planted()
        (found,) = GlitchMiner().detect(view, Opener(truth), [n_passes * MINING_LENGTH + MINING_LENGTH - 1], 0)
        assert len(found.asked) == n_asked
        assert found.spent == (n_asked + np.ceil(n_asked / 8)) * MINING_LENGTH

    def test_glitchminer_searches_only_normal_tokens(self):
        view, truth = planted()
        view = replace(view, normal_ids=frozenset(range(50, 100)))
        (found,) = GlitchMiner().detect(view, Opener(truth), [10_000], 0)
        assert sorted(found.asked.tolist()) == list(range(50, 100))

    def test_glitchprober_learns_from_activations(self):
        view, truth = planted(400)
        budget = 2 * 60
        (found,) = GlitchProber().detect(view, Opener(truth), [budget], 0)
        assert len(found.asked) == 60
        assert found.spent_on_passes == 60 // ACTIVATION_LENGTH * ACTIVATION_LENGTH
        assert view.passes.calls["activations"] == 60 + 60 // ACTIVATION_LENGTH
        (richer,) = GlitchProber().detect(view, Opener(truth), [12_000], 0)
        assert len(richer.asked) == view.n
        view, truth = planted(400, price=QueryPrice(30.0, 60))
        budget = 9000
        (found,) = GlitchProber().detect(view, Opener(truth, view.price), [budget], 0)
        assert f1_of(found, truth) > 0.8
        assert len(found.predicted) > 1.5 * found.fails.sum()
        passes = PlantedPasses(np.zeros(view.n, dtype=bool), view.passes.hotness, None)
        (lost,) = GlitchProber().detect(replace(view, passes=passes), Opener(truth, view.price), [budget], 0)
        assert f1_of(lost, truth) < 0.6

    def test_glitchprober_pays_for_the_samples_activations_unless_a_query_shows_them(self):
        price = QueryPrice(30.0, 60)
        spent = {}
        for shared in (True, False):
            view, truth = planted(400, price=price, shares_activations=shared)
            (found,) = GlitchProber().detect(view, Opener(truth, price), [3000], 0)
            n_sampled, n_read = len(found.asked), view.passes.calls["activations"]
            charged = n_read - n_sampled if shared else n_read
            assert found.spent_on_passes == charged * ACTIVATION_LENGTH
            assert 3000 - found.spent < max(ACTIVATION_LENGTH, price.most + 1) + 3000 % 2
            spent[shared] = n_read - n_sampled
        assert spent[True] == spent[False] + n_sampled, "what is not shared is missing for other tokens"

    def test_glitchprober_without_a_budget_tests_what_it_predicts(self):
        view, truth = planted(400, price=PRICE)
        (found,), opener = run("glitchprober", view, truth, [None])
        assert f1_of(found, truth) > 0.85
        assert found.predicted.tolist() == sorted(found.asked[found.fails].tolist())
        assert 40 < len(found.asked) < 0.6 * view.n
        assert found.spent_on_passes == (view.n - 40) * ACTIVATION_LENGTH, "a tenth is sampled, every other one passes"
        assert found.spent == opener.positions + found.spent_on_passes

    def test_active_census_reports_what_it_never_asked(self):
        view, truth = planted(1000)
        (found,) = QUICK.active_census.detect(view, Opener(truth, margins=np.where(truth, -1.0, 1.0)), [100], 0)
        assert f1_of(found, truth) > 0.9
        assert len(found.asked) == 100
        assert len(found.predicted) > 1.5 * found.fails.sum()

    def test_active_census_cannot_know_a_truth_that_nothing_shows(self):
        view, _ = planted(600)
        truth = np.random.default_rng(5).random(600) < 0.25
        (found,) = QUICK.active_census.detect(view, Opener(truth), [60], 0)
        assert f1_of(found, truth) < 0.6

    def test_active_census_finds_rare_glitch_tokens(self):
        view, truth = planted(1000, share=0.01)
        (found,) = QUICK.active_census.detect(view, Opener(truth), [100], 0)
        assert f1_of(found, truth) > 0.8

    def test_active_census_needs_no_unused_ids(self):
        view, truth = planted(1000)
        (found,) = QUICK.active_census.detect(replace(view, unused_ids=()), Opener(truth), [100], 0)
        assert f1_of(found, truth) > 0.85

    def test_active_census_looks_at_both_matrices_of_an_untied_model(self):
        view, truth = planted(1000)
        noise = np.random.default_rng(1).normal(size=view.embedding.shape).astype(np.float32)
        for matrix in ("embedding", "unembedding"):
            untied = replace(view, is_tied=False, **{matrix: noise})
            (found,) = QUICK.active_census.detect(untied, Opener(truth), [100], 0)
            assert f1_of(found, truth) > 0.8, f"{matrix} is noise, the other tells"

    @pytest.mark.slow
    def test_active_census_learns_more_from_margins_than_from_verdicts(self):
        view, truth, pull = borderline(300)
        # No indicator shows the pull.
        view, opener = replace(view, unused_ids=()), Opener(truth, margins=12 * (0.5 - pull))
        found, blind = (
            np.mean([f1_of(kind(n_trees=20, growth=0.5).detect(view, opener, [60], seed)[0], truth) for seed in (0, 1)])
            for kind in (ActiveCensus, ActiveCensusOfVerdicts)
        )
        assert found > blind + 0.01

    def test_active_census_does_not_believe_margins_of_the_other_side(self):
        view, truth, _ = borderline(300)
        backwards = Opener(truth, margins=np.where(truth, 3.0, -1.5))
        (found,) = QUICK.active_census.detect(view, backwards, [40], 0)
        (blind,) = QUICK.active_census_verdicts.detect(view, Opener(truth), [40], 0)
        assert contents(found) == contents(blind)

    def test_verdicts_alone_do_without_margins(self):
        view, truth, pull = borderline(300)
        seen, hidden = Opener(truth, margins=12 * (0.5 - pull)), Opener(truth)
        found, blind = (QUICK.active_census_verdicts.detect(view, opener, [40], 0)[0] for opener in (seen, hidden))
        assert contents(found) == contents(blind)
        assert contents(QUICK.active_census.detect(view, seen, [40], 0)[0]) != contents(found)

    def test_active_census_learns_from_more_verdicts_than_its_process_holds(self, monkeypatch):
        monkeypatch.setattr(_margin_process, "_MOST_ANSWERS", 100)
        view, truth = planted(1500, share=0.02)
        (found,) = QUICK.active_census.detect(view, Opener(truth), [500], 0)
        assert len(found.asked) == 500
        assert f1_of(found, truth) > 0.9


def borderline(n=600):
    """Rows whose pull towards one direction, plain to see nowhere else, decides a little above or below one half."""
    view, _ = planted_view(n, 0.5, noise=1.0)
    direction = view.embedding[:4].mean(axis=0)
    pull = np.argsort(np.argsort(view.embedding[:n] @ direction)) / n
    return view, pull >= 0.5, pull


def test_settings_name_the_key_they_refuse():
    with pytest.raises(Rejected, match=r"^exp\.active_census\.growth: got 0\.0, allowed: above 0"):
        to_dataclass(DetectorsConfig, {"active_census": {"growth": 0}}, "exp.")
    with pytest.raises(Rejected, match=r"^exp\.glitchminer\.k: got 4, allowed: batch_size \(8\) or more"):
        to_dataclass(DetectorsConfig, {"glitchminer": {"k": 4}}, "exp.")
    with pytest.raises(Rejected, match=r"^exp\.budgets: got .*, allowed: ascending shares above 0, at most 1"):
        to_dataclass(DetectorsConfig, {"budgets": [0.1, 0.05]}, "exp.")
