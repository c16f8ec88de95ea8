"""Every detector finds what is planted, spends no more than it has, and says what it spent."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.detectors.config import DetectorsConfig
from harness.errors import Rejected, RunFailed
from harness.glitch.detectors.detector import Detector, OrderedDetector
from harness.glitch.detectors.glitchminer import GlitchMiner
from harness.glitch.detectors.glitchprober import GlitchProber
from harness.glitch.detectors.indicator_threshold import (
    INDICATOR_THRESHOLDS,
    CosineThreshold,
    InputNormThreshold,
)
from harness.glitch.detectors.prediction import calibrated
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.roster import DETECTORS, make_detector, names
from harness.runs.config.typed import to_dataclass
from tests.helpers.planted_tokens import (
    ACTIVATION_LENGTH,
    MINING_LENGTH,
    Opener,
    PlantedPasses,
    f1_of,
    planted_view,
)
from tests.helpers.quick_detectors import QUICK, contents, is_tied_for, planted, run

pytestmark = pytest.mark.unit

NAMES = names()
PRICE = QueryPrice(2.0, 5)
CUT_SHORT = ("glitchminer", "uncertainty_sampling", "active_census", "active_census_verdicts")
"""Choose in rounds what to query next, and a budget cuts the round it ends in: what is chosen later depends on it."""
ANEW = ("glitchhunter", "glitchprober")
"""Begin anew for each budget."""


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


def test_settings_name_the_key_they_refuse():
    with pytest.raises(Rejected, match=r"^exp\.active_census\.growth: got 0\.0, allowed: above 0"):
        to_dataclass(DetectorsConfig, {"active_census": {"growth": 0}}, "exp.")
    with pytest.raises(Rejected, match=r"^exp\.glitchminer\.k: got 4, allowed: batch_size \(8\) or more"):
        to_dataclass(DetectorsConfig, {"glitchminer": {"k": 4}}, "exp.")
    with pytest.raises(Rejected, match=r"^exp\.budgets: got .*, allowed: ascending shares above 0, at most 1"):
        to_dataclass(DetectorsConfig, {"budgets": [0.1, 0.05]}, "exp.")
