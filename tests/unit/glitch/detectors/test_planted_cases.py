"""Each detector finds the case planted for it."""

from dataclasses import replace

import numpy as np
import pytest

from harness.glitch.detectors import _margin_process
from harness.glitch.detectors.active_census import ActiveCensus, ActiveCensusOfVerdicts
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
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.random_sample import RandomSample
from harness.glitch.detectors.rule_random import RuleRandom
from harness.glitch.detectors.uncertainty_sampling import UncertaintySampling
from tests.helpers.planted_tokens import (
    ACTIVATION_LENGTH,
    MINING_LENGTH,
    Opener,
    PlantedPasses,
    f1_of,
    planted_view,
)
from tests.helpers.quick_detectors import QUICK, contents, planted, run

pytestmark = pytest.mark.unit

PRICE = QueryPrice(2.0, 5)


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
        sampled, others = {}, {}
        for shared in (True, False):
            view, truth = planted(400, price=price, shares_activations=shared)
            (found,) = GlitchProber().detect(view, Opener(truth, price), [3000], 0)
            n_sampled, n_read = len(found.asked), view.passes.calls["activations"]
            charged = n_read - n_sampled if shared else n_read
            assert found.spent_on_passes == charged * ACTIVATION_LENGTH
            assert 3000 - found.spent < max(ACTIVATION_LENGTH, price.most + 1) + 3000 % 2
            sampled[shared], others[shared] = n_sampled, n_read - n_sampled
        assert sampled[False] < sampled[True], "a sample that needs passes of its own is smaller"
        assert others[False] * ACTIVATION_LENGTH > 0.4 * 3000, "and leaves about half of the budget to other tokens"

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
