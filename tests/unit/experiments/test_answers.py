"""What a run answers in one sentence, from made-up metrics; what it says where there are none."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.reporting.display import Answer, load_display
from harness.runs.results.stored_run import StoredRun

pytestmark = pytest.mark.unit

TESTED = {"tested": 100, "glitch_tokens": 7, "counting_wordings": 10}
F1 = {"truth/tested": 100, "truth/glitch_tokens": 5}


def share(key: str, mean: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {key: mean, f"{key}/ci_low": low, f"{key}/ci_high": high}


def one_of(*pools: str, **facts: Any) -> dict[str, Any]:
    return {"pools": {pool: {"prefix": f"{pool}/"} for pool in pools}, **facts}


def answered(
    folder: Path, experiment: str, metrics: dict[str, Any], details: dict[str, Any] | None = None, model: str = "m-1"
) -> Answer | None:
    """What the experiment says of a run that stored these."""
    run = folder / experiment / "run"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps(metrics))
    (run / "details.json").write_text(json.dumps(details or {}))
    (run / "config.yaml").write_text(yaml.safe_dump({"exp": {"name": experiment}}))
    (run / "manifest.json").write_text(
        json.dumps({"experiment": experiment, "run_id": "run", "model": {"label": model}})
    )
    return load_display(experiment).answer(StoredRun(run))


@pytest.mark.parametrize(
    ("experiment", "metrics", "details", "sentence"),
    [
        ("census", TESTED | share("glitch_rate", 0.07, 0.03, 0.14), {"verdict": "agreement"},
         "7 of 100 tokens of m-1 fail each of 10 wordings: an estimated 0.070 [0.030, 0.140] of its "
         "vocabulary are glitch "
         "tokens."),
        ("census", {"tested": 0}, {"verdict": "agreement"},
         "Which tokens of m-1 are glitch tokens can't be told: no wordings of two families count for it."),
        ("census", {"tested": 0}, {"verdict": "published"},
         "Which tokens of m-1 are glitch tokens can't be told: no task counts for it."),
        ("copy_map", {"informative": 0, "not_copied": 40, "tokens": 40} | share("not_copied_share", 1.0, 0.9, 1.0)
         | share("calibration/copied_share", 0.0, 0.0, 0.2), {},
         "In sequences seen twice m-1 does not copy 40 of 40 tokens (1.000 [0.900, 1.000]); of well-known "
         "ones it copies "
         "0.000 [0.000, 0.200], so that this says nothing of training."),
        ("copy_map", {"informative": 1, "not_copied": 0, "tokens": 9} | share("not_copied_share", 0.0, 0.0, 0.3), {},
         "In sequences seen twice m-1 does not copy 0 of 9 tokens (0.000 [0.000, 0.300])."),
        ("dataset_prevalence", {"tokens": 0}, {}, "The data set holds no text."),
        ("detectors", {}, {},
         "No asked or echoed wording counts for m-1: there is no truth to compare detectors by."),
        ("detectors", F1 | {"truth/glitch_tokens": 0}, {},
         "None of 100 tokens of m-1 is a glitch token: there is nothing to detect."),
        ("detectors", F1, {"budgets": [0.01], "detectors": ["active_census"]},
         "5 of 100 tokens of m-1 are glitch tokens; for 1 % of a census no detector has an F1."),
        ("echo_token", {}, {"fits": False}, "The echoes do not fit into the context of m-1."),
        ("echo_token", share("rare/greedy/success", 0.0, 0.0, 0.3), one_of("rare", fits=True),
         "Shown echoes of a token, m-1 says it once more: 0.00 [0.00, 0.30] of rare tokens."),
        ("find_glitch_tokens", {}, {}, "No asked or echoed wording counts for m-1: its glitch tokens can't be told."),
        ("find_glitch_tokens",
         {"found": 0, "confirmed": 0, "predicted": 0, "expected_missed": 0.0, "spent_share": 0.012}, {},
         "0 glitch tokens of m-1 are found (0 asked and failed, 0 predicted) and 0.0 more expected, for 1.2 % "
         "of asking "
         "every token."),
        ("glitchhunter", {"informative": 0}, {},
         "GlitchHunter's question does not count for m-1: it says nothing of its tokens."),
        ("repair", {}, {"methods": []},
         "Nothing was mended: no glitch token of m-1 is known, or no method could be run on it."),
        ("repair", share("mean_both/repair_rate", 0.5, 0.3, 0.7) | share("mean_both/healthy_harmed", 0.01),
         {"methods": [{"name": "mean_both"}]},
         "Of m-1's glitch tokens mean both repairs: 0.500 [0.300, 0.700]; of healthy tokens it harms 0.010."),
        ("repeat_one_token", {"a/n_started": 0, "a/n_tokens": 1}, one_of("a"),
         "Repeated to the end of the context, 0 of 1 a tokens are ever what m-1 predicts next."),
        ("repeat_tokens", share("a/copy_accuracy", 0.5) | share("b/copy_accuracy", None), one_of("a", "b"),
         "When m-1 sees a random sequence twice, a tokens are said in 0.50 of places."),
        ("token_audit", {"ids": 10, "unreachable": 1, "no_token": 2, "lost/bytes": None}, {},
         "Of 10 ids of m-1 1 are reached by no text, 2 have no token."),
        ("train_pocket", {}, {"natural": {"0": {"copy_accuracy_cued": 0.1, "median_exposures": 0}}},
         "The organism copies natural tokens shown 0 times with an accuracy of 0.10."),
        ("undertrained", {"verified": None}, {}, "Candidates of m-1 can't be verified: no prompt fits."),
        ("undertrained", {"verified": 0, "candidates_ordinary": 0}, {},
         "The weights of m-1 point at no ordinary token."),
        ("unused_logits", share("a/text/total_probability", 1e-5, 0.0, 2e-5) | {"a/text/in_top_k": 0.25},
         one_of("a", top_k=50),
         "In running text m-1 gives all a tokens together 1.0e−5 [0.00, 2.0e−5] of the probability (one of "
         "them in its top "
         "50 in 0.25 of places)."),
        ("where_it_breaks", share("a/identity_effect", 0.2, 0.1, 0.3)
         | share("a/identity_effect_partner", 9.0, 8.0, 10.0),
         one_of("a"),
         "In m-1 the identity effect of a tokens is 0.2 [0.1, 0.3] nats, of well-known partners in their "
         "places 9.0 [8.0, "
         "10.0]; shares of this difference that parts of a partner's run restore: nothing could be put in "
         "place of theirs."),
        ("train_organisms", {"reference/dose_0/copied": 0.02}, {"arms": {"reference": "the reference"}},
         "Tokens never shown, the reference: 0.02 copied."),
        ("train_path_star", {"steps": 3, "probe/exact_match": None}, {"objective": "teacher_forcing", "task": "G(2,3)"},
         "teacher forcing, G(2,3): after 3 steps no graph was probed."),
    ],
)  # fmt: skip
def test_a_run_says(
    tmp_path: Path, experiment: str, metrics: dict[str, Any], details: dict[str, Any], sentence: str
) -> None:
    found = answered(tmp_path, experiment, metrics, details)
    assert found == Answer(sentence)


@pytest.mark.parametrize(
    ("experiment", "details"),
    [
        ("echo_token", one_of(fits=True)),
        ("repeat_one_token", one_of()),
        ("repeat_tokens", one_of("a")),
        ("token_audit", {}),
        ("train_pocket", {"natural": {}}),
        ("unused_logits", one_of(top_k=50)),
        ("where_it_breaks", one_of("a")),
    ],
)
def test_a_run_that_measured_nothing_says_nothing(tmp_path: Path, experiment: str, details: dict[str, Any]) -> None:
    assert answered(tmp_path, experiment, {}, details) is None


@pytest.mark.parametrize(
    ("metrics", "passed", "ends"),
    [
        (TESTED | share("glitch_rate", 0.07, 0.03, 0.14), None, "a share of 0.070 [0.030, 0.140]."),
        (TESTED | share("glitch_rate", 0.07, 0.03, 0.14) | {"gate/passed": 0}, False, "; the gate allows 0.05."),
        (TESTED | share("glitch_rate", 0.07, 0.03, 0.14) | {"gate/passed": 1}, True, "; the gate allows 0.05."),
        # Nothing can be told: a gate stays shut.
        (TESTED | {"glitch_rate": None, "gate/passed": 0}, False, "count for it; the gate allows 0.05."),
    ],
)
def test_a_gate_is_a_verdict(tmp_path: Path, metrics: dict[str, Any], passed: bool | None, ends: str) -> None:
    found = answered(tmp_path, "audit", metrics | {"gate/max_glitch_rate": 0.05})
    assert found is not None and found.passed is passed and found.sentence.endswith(ends)
