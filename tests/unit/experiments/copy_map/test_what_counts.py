"""Models in which only one stream of training counts: the regressions must say so, and say what can't be told apart."""

import numpy as np
import pytest
from scipy.special import expit

from experiments.copy_map import what_counts
from experiments.copy_map.what_counts import COUNTS, Copied, Question, fit_all, highest_dose, metrics
from harness.models.exposures import STREAMS, Exposures

pytestmark = pytest.mark.unit

DOSES = (0, 4, 16, 64, 256, 1024, 4096)
SLOPE = 1.5


def vocabulary(rng, n_natural=1500, per_dose=40):
    """Natural tokens two thirds of whose exposures are repeats, within a factor; planted ones with a quarter."""
    size = np.exp(rng.uniform(0, 9, n_natural))
    natural = [np.floor(size * share * np.exp(rng.normal(0, 0.5, n_natural))) for share in (0.3, 0.65, 0.05)]
    dose = np.repeat(DOSES, per_dose)
    planted = [dose - dose // 4 // 2 * 2 - dose // 4, dose // 4 // 2 * 2, dose // 4]
    streams = [np.concatenate(both).astype(np.int64) for both in zip(natural, planted, strict=True)]
    return Exposures(sum(streams), *streams), np.arange(n_natural + len(dose)) >= n_natural


def asked(counting, seed=0, n_appearances=3, **kwargs):
    rng = np.random.default_rng(seed)
    exposures, planted = vocabulary(rng, **kwargs)
    log_odds = SLOPE * np.log1p(getattr(exposures, counting)) - 7
    copied = rng.binomial(n_appearances, expit(log_odds))
    ids = np.arange(len(planted))
    return Copied(exposures, planted, ids, copied, n_appearances, ids)


def covers(found, name, truth):
    return found[f"{name}/ci_low"] < truth < found[f"{name}/ci_high"]


@pytest.mark.parametrize("counting", STREAMS)
def test_the_one_stream_that_counts_is_found(counting):
    found = metrics(fit_all(asked(counting), 4096))
    for stream in STREAMS:
        assert covers(found, f"exposures/{stream}/coefficient", SLOPE if stream == counting else 0.0)
        assert found[f"exposures/{stream}/coefficient/ci_low"] > 0 or stream != counting
    # On its own every stream seems to count: they go together.
    assert all(found[f"exposures/{name}/alone/ci_low"] > 0.5 for name in COUNTS)
    assert max(found[f"exposures/{stream}/inflation"] for stream in STREAMS) > 5
    # Planted and natural tokens lie on one curve by what counts, and on different ones by all else.
    assert covers(found, f"exposures/{counting}/planted_shift", 0.0)
    assert all(not covers(found, f"exposures/{name}/planted_shift", 0.0) for name in STREAMS if name != counting)
    assert max(COUNTS, key=lambda name: found[f"exposures/{name}/explained"]) == counting
    assert found["exposures/planted/coefficient"] == pytest.approx(SLOPE, abs=0.4)


def test_where_the_total_counts_no_stream_alone_puts_planted_tokens_on_the_curve():
    found = metrics(fit_all(asked("total"), 4096))
    assert [name for name in COUNTS if covers(found, f"exposures/{name}/planted_shift", 0.0)] == ["total"]


def test_tokens_beyond_the_highest_dose_do_not_pull_at_the_line():
    data = asked("repeats")
    # As words of prompts and quotation marks are: shown very often, and not copied for reasons of their own.
    often = np.flatnonzero(data.exposures.total[data.ids] > 4096)[::8]
    data.copied[often] = 0
    fits = fit_all(data, highest_dose({0: (1,), 4096: (2,)}))
    assert covers(metrics(fits), "exposures/repeats/coefficient", SLOPE)
    within, beyond = (next(fit for fit in fits if fit.question is q) for q in (Question.TOGETHER, Question.ANY_COUNT))
    assert beyond.n > within.n
    assert beyond.found.coefficients[1].high < SLOPE
    assert not any(fit.question is Question.ANY_COUNT for fit in fit_all(data, None))


def test_without_planted_tokens_only_natural_ones_are_fitted():
    fits = fit_all(asked("repeats", per_dose=0), highest_dose({}))
    assert {fit.question for fit in fits} == {Question.TOGETHER, Question.ALONE}


def test_what_has_no_estimate_is_null_and_says_why():
    data = asked("repeats")
    nothing = Copied(data.exposures, data.planted, data.ids, 0 * data.copied, 3, data.same)
    fits = fit_all(nothing, 4096)
    assert set(metrics(fits).values()) <= {None}
    plain = what_counts.details(fits, 4096)
    assert {fit["why_none"] for fit in plain["fits"]} == {"no trial succeeds"}
    assert plain["fits"][0]["terms"][0] == {"term": "text", "mean": None, "low": None, "high": None, "inflation": None}
