"""Every detector finds what is planted, spends no more than it has, and says what it spent."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.detectors.config import DetectorsConfig
from harness.errors import Rejected, RunFailed
from harness.glitch.detectors.active_census import ActiveCensus
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.glitchhunter.detector import GlitchHunter
from harness.glitch.detectors.glitchminer import GlitchMiner
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.kmeans import KMeansCentroids
from harness.glitch.detectors.magikarp import MagikarpRanking
from harness.glitch.detectors.roster import make_detector, names
from harness.glitch.detectors.rule_random import RuleRandom
from harness.runs.config.typed import to_dataclass
from tests.helpers.planted_tokens import PlantedPasses, f1_of, oracle_of, planted_view

pytestmark = pytest.mark.unit

NAMES = names()
QUICK = SimpleNamespace(
    active_census=ActiveCensus(n_rounds=3),
    glitchhunter=GlitchHunter(k=10, resolution=1.0, scale_resolution=False, n_components=8),
    kmeans=KMeansCentroids(n_clusters=5),
)


def borderline(n=600):
    """Rows whose pull towards one direction, plain to see nowhere else, decides a little above or below one half."""
    view, _ = planted_view(n, 0.5, noise=1.0)
    direction = view.embedding[:4].mean(axis=0)
    pull = np.argsort(np.argsort(view.embedding[:n] @ direction)) / n
    return view, pull >= 0.5, pull


def planted(n=200, share=0.25, price=1, truth=None):
    view, own = planted_view(n, share, price=price)
    truth = own if truth is None else truth
    direction = view.embedding[:4].mean(axis=0)
    hotness = (view.embedding[:n] @ direction) / np.linalg.norm(view.embedding[:n], axis=1)
    return replace(view, passes=PlantedPasses(truth, hotness, direction)), truth


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(budget=st.integers(0, 70), price=st.integers(1, 3), seed=st.integers(0, 3))
def test_no_budget_is_ever_exceeded_and_every_query_is_counted(name, budget, price, seed):
    view, truth = planted(120, price=price)
    oracle = oracle_of(truth, price)
    found = make_detector(name, QUICK).detect(view, oracle, budget, seed)
    assert found.n_queries <= budget
    assert oracle.n_queries + found.n_passes == found.n_queries
    passes = view.passes.calls
    if name == "glitchminer":
        assert oracle.n_queries == 0, "its verdicts are its own"
        assert found.n_passes == passes["uncertainty"] + passes["entropy_gradient"]
        assert len(found.judged) == passes["uncertainty"]
        assert found.tokens_processed == 11 * found.n_passes
    else:
        assert oracle.n_queries == price * len(found.judged)
        # Margins come with verdicts that were bought, once each, and with no others.
        assert passes["margins"] == (len(found.judged) if name == "active_census" else 0)
        assert found.n_passes == 0
        # Activations of asked tokens come from the passes of their verdicts: no position is counted twice.
        assert found.tokens_processed == 7 * oracle.n_queries + 13 * found.n_passes_beyond
    assert len(set(found.judged.tolist())) == len(found.judged)
    assert (np.diff(found.spent_after) >= 0).all()
    assert found.spent_after[-1:].sum() <= budget
    assert np.isfinite(found.scores).all()
    assert len(found.scores) == view.n
    assert set(found.judged[found.verdicts].tolist()) <= set(found.predicted.tolist())
    assert not set(found.judged[~found.verdicts].tolist()) & set(found.predicted.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_says_everything(name):
    first, second = (
        make_detector(name, QUICK).detect(view, oracle_of(truth), 40, 3) for view, truth in (planted(), planted())
    )
    assert first.judged.tolist() == second.judged.tolist()
    assert first.predicted.tolist() == second.predicted.tolist()
    assert first.scores.tolist() == second.scores.tolist()
    assert isinstance(make_detector(name, QUICK), Detector)
    assert make_detector(name, QUICK).name == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fails", [False, True])
def test_tokens_that_all_answer_alike_are_no_trouble(name, fails):
    view, _ = planted()
    view, truth = planted(truth=np.full(view.n, fails))
    found = make_detector(name, QUICK).detect(view, oracle_of(truth), 40, 0)
    if not fails and name != "rule_random":
        assert not len(found.predicted)
    assert found.verdicts.tolist() == [fails] * len(found.judged)


class TestEachFindsItsPlantedCase:
    def test_magikarp_asks_the_collapsed_rows_first(self):
        view, truth = planted()
        found = MagikarpRanking().detect(view, oracle_of(truth), int(truth.sum()), 0)
        assert found.verdicts.mean() > 0.9
        backwards = replace(view, unused_ids=tuple(np.flatnonzero(~truth)[:4].tolist()))
        worse = MagikarpRanking().detect(backwards, oracle_of(truth), int(truth.sum()), 0)
        assert worse.verdicts.mean() < 0.6, "ids that are not unused must mislead it"

    def test_magikarp_ranks_an_untied_model_by_the_input_norm(self):
        view, truth = planted()
        small = view.embedding.copy()
        small[np.flatnonzero(truth)] *= 0.01
        untied = replace(view, embedding=small, is_tied=False, unused_ids=())
        found = MagikarpRanking().detect(untied, oracle_of(truth), int(truth.sum()), 0)
        assert found.verdicts.all()

    def test_kmeans_finds_what_lies_in_the_middle(self):
        view, truth = planted()
        rows = view.embedding.copy()
        rows[np.flatnonzero(truth)] = rows.mean(axis=0) + 0.01 * rows[np.flatnonzero(truth)]
        view = replace(view, embedding=rows)
        found = KMeansCentroids(n_clusters=5, per_cluster=1).detect(view, oracle_of(truth), 40, 0)
        assert found.verdicts.mean() > 0.8

    def test_glitchhunter_finds_the_cluster(self):
        view, truth = planted(300, share=0.2)
        found = make_detector("glitchhunter", QUICK).detect(view, oracle_of(truth), view.n, 0)
        assert f1_of(found, truth) > 0.8

    def test_rule_random_leaves_frequent_words_out(self):
        view, truth = planted()
        view = replace(view, texts=(" the", *view.texts[1:]))
        whole = RuleRandom(share=1.0).detect(view, oracle_of(truth), 0, 0)
        assert whole.predicted.tolist() == list(range(1, view.n))
        assert len(whole.judged) == 0

    def test_glitchminer_follows_the_entropy(self):
        view, truth = planted(300, share=0.2)
        found = GlitchMiner(batch_size=8, k=16).detect(view, oracle_of(truth), 60, 0)
        assert found.verdicts.mean() > 2 * truth.mean()
        lost = replace(view, passes=PlantedPasses(truth, -view.passes.hotness, -view.passes.gradient))
        worse = GlitchMiner(batch_size=8, k=16).detect(lost, oracle_of(truth), 60, 0)
        assert worse.verdicts.mean() < found.verdicts.mean(), "a gradient turned round must mislead it"

    def test_glitchminer_searches_only_normal_tokens(self):
        view, truth = planted()
        view = replace(view, normal_ids=frozenset(range(50, 100)))
        found = GlitchMiner().detect(view, oracle_of(truth), 200, 0)
        assert sorted(found.judged.tolist()) == list(range(50, 100))

    def test_glitchprober_learns_from_activations(self):
        view, truth = planted(400)
        found = GlitchProber().detect(view, oracle_of(truth), 80, 0)
        assert f1_of(found, truth) > 0.8
        assert found.n_passes_beyond == view.n - 40, "one pass for every token outside the sample of half the budget"
        blind = replace(view, passes=PlantedPasses(np.zeros(view.n, dtype=bool), view.passes.hotness, None))
        assert f1_of(GlitchProber().detect(blind, oracle_of(truth), 80, 0), truth) < 0.6

    @pytest.mark.parametrize("detector", [GlitchMiner(), GlitchProber()])
    def test_a_model_that_cannot_be_run_is_said_so(self, detector):
        view, truth = planted_view(60)
        with pytest.raises(RunFailed, match="does not fit"):
            detector.detect(view, oracle_of(truth), 20, 0)

    def test_active_census_reports_what_it_never_asked(self):
        view, truth = planted(1000)
        found = QUICK.active_census.detect(view, oracle_of(truth), 100, 0)
        assert f1_of(found, truth) > 0.9
        assert len(found.judged) == 100
        assert len(found.predicted) > 1.5 * found.verdicts.sum()
        assert [snapshot.spent for snapshot in found.snapshots] == [10, 40, 70, 100]

    def test_active_census_cannot_know_a_truth_that_nothing_shows(self):
        view, _ = planted(600)
        truth = np.random.default_rng(5).random(600) < 0.25
        found = QUICK.active_census.detect(view, oracle_of(truth), 60, 0)
        assert f1_of(found, truth) < 0.6

    def test_active_census_finds_rare_glitch_tokens(self):
        view, truth = planted(1000, share=0.01)
        found = QUICK.active_census.detect(view, oracle_of(truth), 100, 0)
        assert f1_of(found, truth) > 0.8

    def test_active_census_needs_no_unused_ids(self):
        view, truth = planted(1000)
        found = QUICK.active_census.detect(replace(view, unused_ids=()), oracle_of(truth), 100, 0)
        assert f1_of(found, truth) > 0.85

    def test_active_census_looks_at_both_matrices_of_an_untied_model(self):
        view, truth = planted(1000)
        noise = np.random.default_rng(1).normal(size=view.embedding.shape).astype(np.float32)
        for matrix in ("embedding", "unembedding"):
            untied = replace(view, is_tied=False, **{matrix: noise})
            found = QUICK.active_census.detect(untied, oracle_of(truth), 100, 0)
            assert f1_of(found, truth) > 0.8, f"{matrix} is noise, the other tells"

    @pytest.mark.slow
    def test_active_census_learns_more_from_margins_than_from_verdicts(self):
        view, truth, pull = borderline()
        margins = 12 * (0.5 - pull)
        seen = replace(view, passes=PlantedPasses(truth, pull, None, margins=margins))
        found, blind = (
            np.mean([f1_of(ActiveCensus().detect(some, oracle_of(truth), 40, seed), truth) for seed in range(3)])
            for some in (seen, replace(view, passes=None))
        )
        assert found > blind + 0.01

    def test_active_census_does_not_believe_margins_of_the_other_side(self):
        view, truth, pull = borderline(300)
        backwards = replace(view, passes=PlantedPasses(truth, pull, None, margins=np.where(truth, 3.0, -1.5)))
        found, blind = (
            QUICK.active_census.detect(some, oracle_of(truth), 40, 0)
            for some in (backwards, replace(view, passes=None))
        )
        assert found.judged.tolist() == blind.judged.tolist()
        assert found.predicted.tolist() == blind.predicted.tolist()

    def test_active_census_learns_from_thousands_of_verdicts(self):
        view, truth = planted(3000, share=0.02)
        found = QUICK.active_census.detect(view, oracle_of(truth), 1500, 0)
        assert f1_of(found, truth) > 0.9


def test_settings_name_the_key_they_refuse():
    with pytest.raises(Rejected, match=r"^exp\.active_census\.first_share: got 0\.0, allowed: above 0, at most 1$"):
        to_dataclass(DetectorsConfig, {"active_census": {"first_share": 0}}, "exp.")
    with pytest.raises(Rejected, match=r"^exp\.glitchminer\.k: got 4, allowed: batch_size \(8\) or more"):
        to_dataclass(DetectorsConfig, {"glitchminer": {"k": 4}}, "exp.")
