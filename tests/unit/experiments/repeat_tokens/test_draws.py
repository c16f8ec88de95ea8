"""Which tokens repeat_tokens draws, in whose company, and what it says of it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.repeat_tokens import figures, tables
from experiments.repeat_tokens.config import Draws, RepeatTokensConfig
from experiments.repeat_tokens.draws import notes, plan_draws
from harness.errors import Rejected
from harness.glitch.copying.coinciding import Coinciding
from harness.runs._subject import Subject
from harness.runs.config.schema import Reference, RunConfig
from harness.runs.context import Run
from harness.runs.folder import RunFolder
from harness.tokens.pools import resolve_pools
from tests.helpers.rule_model import (
    SEQ_LEN,
    UNIFORM,
    RuleModel,
    facts,
    run_in,
    stored_run,
)

pytestmark = pytest.mark.unit


def test_a_small_pool_gets_company_and_is_measured_by_itself(tmp_path: Path) -> None:
    model = RuleModel()
    run, outcome = run_in(tmp_path, model, unused="30:33", n_sequences=12)
    rows = [row for row in run.records.rows() if "index" in row]
    for row in rows:
        own = [row["tokens"][place] for place in row["own"]]
        assert len(own) == 1 and (own[0] in range(30, 33)) == (row["pool"] == "unused")
        assert sum(token >= 20 for token in row["tokens"]) == (row["pool"] == "unused")
    # Nothing of the company leaks into the pool's numbers: unused tokens are never copied, their company always is.
    assert outcome.metrics["unused/copy_effect"] == 0.0
    assert outcome.metrics["unused/copy_accuracy"] == 0.0
    assert outcome.metrics["common/copy_accuracy_cued"] == 1.0
    assert outcome.details["pools"]["unused"]["n_in_half"] == outcome.details["pools"]["common"]["n_in_half"] == 1
    assert outcome.details["companions"] == "companions from the common pool"
    assert any(
        "A half holds 1 of its pool's tokens (the smallest pool has 3" in note and "companions from the common" in note
        for note in run.notes
    )


def test_a_share_of_own_tokens_brings_company_to_large_pools_too(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, RuleModel(), own_share=0.4)
    assert [outcome.details["pools"][name]["n_in_half"] for name in ("unused", "common")] == [2, 2]
    assert outcome.metrics["unused/copy_effect"] == 0.0 and outcome.metrics["common/copy_accuracy_cued"] == 1.0
    assert any("A half holds 2 of its pool's tokens among companions from the common" in note for note in run.notes)


@pytest.mark.parametrize(
    ("parameters", "n_own"),
    [
        ({}, 1),  # a quarter of 5
        ({"draws": Draws.UNMATCHED}, 5),
        ({"own_share": 0.9}, 4),
    ],
)
def test_few_tokens_of_a_half_are_the_pools_by_default(tmp_path: Path, parameters: dict[str, Any], n_own: int) -> None:
    _, outcome = run_in(tmp_path, RuleModel(), **{"own_share": None, **parameters})
    assert [outcome.details["pools"][name]["n_in_half"] for name in ("unused", "common")] == [n_own, n_own]


def test_where_too_few_tokens_can_keep_company_halves_are_the_pools_own_by_default(tmp_path: Path) -> None:
    exp = RepeatTokensConfig(seq_len=SEQ_LEN, n_sequences=6)
    pools = {"unused": "20:49", "others": "0:20"}  # the vocabulary's 50 tokens but BOS: nobody is left
    config = RunConfig("repeat_tokens", exp, pools=pools, results_dir=tmp_path)
    found = resolve_pools(pools, facts(), 0)
    run = Run(config, RunFolder(tmp_path), Subject(None, facts(), found, None))
    plan = plan_draws(run, {})
    assert plan.companions is None and set(plan.n_own.values()) == {SEQ_LEN}
    assert any("A half holds 5 of its pool's tokens and not 1, since too few" in note for note in notes(run, plan))
    asked = replace(config, exp=replace(exp, own_share=0.25))
    with pytest.raises(Rejected, match=r"exp\.seq_len: got 5, allowed: .* the 0 other tokens"):
        plan_draws(Run(asked, RunFolder(tmp_path), Subject(None, facts(), found, None)), {})


def test_pools_of_other_sizes_are_compared_unmatched_only_on_request(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, RuleModel(), unused="30:33", draws=Draws.UNMATCHED)
    assert [outcome.details["pools"][name]["n_in_half"] for name in ("unused", "common")] == [1, 5]
    assert not outcome.details["is_matched"]
    (warning,) = [note for note in run.notes if "not matched" in note]
    assert "a half holds 1 of unused, 5 of common" in warning
    stored = stored_run(tmp_path, outcome, unused="30:33")
    assert tables.comparisons(stored)["caution"].str.contains("not matched").all()
    drawn = figures.draw_copy_summary(stored)
    assert drawn is not None and drawn.get_suptitle().startswith("Caution: the pools are not matched")


def test_published_pools_are_drawn_as_they_were_published(tmp_path: Path) -> None:
    reference = Reference("a paper", "GPT-2 small", {"unused": "30:33"}, with_replacement=True)
    run, outcome = run_in(tmp_path, RuleModel(), unused="30:33", reference=reference)
    assert outcome.details["draws"] == "replacement"
    # Three different ids in a half of either pool: the larger one is subsampled.
    halves = [set(row["tokens"]) for row in run.records.rows() if "index" in row]
    assert max(len(half) for half in halves) == 3
    assert not [name for name in outcome.metrics if "copy_effect" in name or "order_effect" in name]
    assert not [name for name in outcome.arrays if "control" in name]
    assert outcome.metrics["compare/unused_vs_common/p_value"] == pytest.approx(
        outcome.metrics["compare/unused_vs_common/copy_gain_diff/p_value"]
    )
    _, matched = run_in(tmp_path / "asked", RuleModel(), reference=reference, draws=Draws.MATCHED)
    assert matched.details["draws"] == "matched"


def test_tokens_that_coincide_are_one_observation_and_never_meet(tmp_path: Path, rows: Coinciding) -> None:
    sets = [(30, 31, 32, 33), (34, 35)]
    rows.seen.update({token: members for members in sets for token in members})
    rows.said.update(rows.seen)
    run, outcome = run_in(tmp_path, RuleModel(), unused="30:40", n_sequences=12)
    # 10 ids, of which the model tells 6 apart: three in a half, three in its control.
    assert outcome.details["pools"]["unused"]["n_told_apart"] == 6
    assert outcome.details["pools"]["unused"]["n_in_half"] == 3
    assert outcome.metrics["unused/n_tokens_told_apart"] == 6
    records = [row for row in run.records.rows() if row["pool"] == "unused" and "index" in row]
    for one, other in zip(records[::2], records[1::2], strict=True):
        tokens = [row["tokens"][place] for row in (one, other) for place in row["own"]]
        assert all(sum(token in members for token in tokens) <= 1 for members in sets)
    token = next(row for row in run.records.rows() if row.get("token") in (31, 32, 33))
    assert (token["same_as"], token["n_coinciding"]) == (30, 4)
    # Uniform: four tokens together are four times as likely.
    assert token["logprob_coinciding"] == pytest.approx(UNIFORM + math.log(4), abs=1e-5)
    assert token["logprob_second_half"] == pytest.approx(UNIFORM, abs=1e-5)
    assert any("can tell 6 of its 10 ids apart" in note for note in run.notes)


def test_a_pool_of_one_token_has_no_control(tmp_path: Path, rows: Coinciding) -> None:
    rows.seen.update(dict.fromkeys((30, 31), (30, 31)))
    with pytest.raises(Rejected, match=r"^pools.unused: got 2 ids, 1 that the model can tell apart, allowed: two"):
        run_in(tmp_path, RuleModel(), unused="30:32")
    _, outcome = run_in(tmp_path, RuleModel(), unused="30:32", draws=Draws.REPLACEMENT)
    assert outcome.metrics["unused/copy_gain"] == 0.0


def test_a_pool_that_runs_out_of_sequences_says_so(tmp_path: Path) -> None:
    run, _ = run_in(tmp_path, RuleModel(), unused="30:31", n_sequences=4, draws=Draws.REPLACEMENT)
    assert "pools.unused: only 1 of 4 sequences differ, so its intervals are too short" in run.notes
