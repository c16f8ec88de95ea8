"""repeat_one_token on a model made of rules: every number is the one the rules give."""

from pathlib import Path

import numpy as np
import pytest

from experiments.repeat_one_token.display import DISPLAY, headline
from harness.errors import RunFailed
from harness.glitch.copying.coinciding import Coinciding
from harness.runs.folder import to_json
from tests.helpers.one_token_model import (
    BOS,
    D_VOCAB,
    LAST,
    LENGTH,
    SAID,
    UNIFORM,
    N,
    OneTokenModel,
    facts,
    run_in,
    stored_run,
)

pytestmark = pytest.mark.unit


def test_every_number_is_the_one_the_rules_give(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, OneTokenModel())
    measured = outcome.metrics
    # Said after copies 2 to LAST, or to the end.
    said = [min(LAST.get(token, N), N) - 1 for token in range(10)]
    logprob = [(n * SAID + (N - n) * UNIFORM) / N for n in said]
    # Copies 2 to 12 over BOS and copies: heads 0 and 1 of layer 0 whole, head 1 of layer 3 by half.
    first = (1 + 0.5) / 6
    expected = {
        "unused/n_tokens": 10,
        "unused/started": 0.0,
        "unused/still_going": 0.0,
        "unused/top1_share": 0.0,
        "unused/logprob": UNIFORM,
        "unused/logprob_end": UNIFORM,
        "common/n_tokens": 10,
        "common/n_started": 10,
        "common/n_diverged": 4,
        "common/started": 1.0,
        "common/still_going": 0.6,
        "common/still_going_of_started": 0.6,
        "common/starts_median": 2.0,
        "common/diverges_median": 10.5,  # 6, 9, 12, 12
        "common/top1_share": np.mean(said) / N,
        "common/logprob": np.mean(logprob),
        "common/logprob_end": 0.6 * SAID + 0.4 * UNIFORM,
        "common/attention_first": first,
        "common/attention_first_head": "L0H1",
        "common/attention_first_head_max": 1.0,
        "common/attention_bos": 1 / 3,
        "common/attention_bos_head": "L0H0",
        "common/attention_first_control": first,
        "common/attention_first_change": 0.0,
        "attention_even": np.mean([1 / (n + 1) for n in range(2, N + 1)]),
        "first_token/layer": 1,
        "first_token/factor": 10.0,
        # One token of ten has a first token's norm.
        "common/norm": (9 * 0.1 + 1.0) / 10,
        "common/norm_control": 0.1,
        "common/norm_change": 0.09,
        "common/looks_first": 0.1,
        "common/failed_looks_first": 0.25,  # token 0 of 0, 1, 2 and 3
        "common/going_looks_first": 0.0,
        "unused/failed_looks_first": 0.1,
        "compare/unused_vs_common/still_going_diff": -0.6,
        "compare/unused_vs_common/started_diff": -1.0,
        "compare/unused_vs_common/norm_diff": 0.0,
    }
    assert {name: measured[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    unmeasured = ("goes_on_median", "starts_median", "going_looks_first")
    assert all(measured[f"unused/{name}"] is None for name in unmeasured)
    assert measured["common/goes_on_median"] is None  # six of ten outlast the sequence
    p_value = measured["compare/unused_vs_common/logprob_diff/p_value"]
    assert isinstance(p_value, float) and p_value < 0.01
    assert measured["common/still_going/ci_low"] == pytest.approx(0.3127, abs=1e-3)
    assert outcome.arrays["common/going_on/time"].tolist() == [4, 7, 10, 11]
    assert outcome.arrays["common/going_on/share"] == pytest.approx([0.9, 0.8, 0.6, 0.6])
    assert not [name for name in outcome.arrays if name.startswith("unused/going_on")]
    assert run.notes == [
        "Draws are matched: 10 tokens of every pool (unused 10, common 10), seed 0.",
        "A control is 10 different tokens, as many as the smallest pool has, and not 12; what repetition adds to "
        "attention is measured over as many copies.",
    ]


def test_every_token_has_a_record(tmp_path: Path) -> None:
    run, _ = run_in(tmp_path, OneTokenModel())
    records = {row["token"]: row for row in run.records.rows()}
    assert sorted(records) == [*range(10), *range(30, 40)]
    wanted = ("starts", "diverges", "lasted", "looks_first_at", "instead")
    assert {token: tuple(records[token][name] for name in wanted) for token in (0, 3, 4, 30, 31)} == {
        0: (2, 6, 4, 4, 0),
        3: (2, 12, 10, None, 0),
        4: (2, None, 11, None, None),
        30: (None, None, 0, 4, 0),
        31: (None, None, 0, None, 0),
    }
    assert (records[31]["rank_end"], records[4]["rank_end"]) == (D_VOCAB, 1)


def test_what_is_read_is_one_token_and_its_control_begins_with_it(tmp_path: Path) -> None:
    model = OneTokenModel()
    run_in(tmp_path, model, unused="30:36", n_tokens=4)
    assert len(model.seen) == 2 * (4 + 4)
    repeated = [tokens for tokens in model.seen if len(set(tokens[1:])) == 1]
    controls = [tokens for tokens in model.seen if len(set(tokens[1:])) > 1]
    assert all(tokens[0] == BOS for tokens in model.seen)
    assert {len(tokens) for tokens in repeated} == {LENGTH} and {len(tokens) for tokens in controls} == {1 + 6}
    assert [tokens[1] for tokens in controls] == [tokens[1] for tokens in repeated]
    for tokens in controls:
        assert len(set(tokens)) == 7
        pool = range(30, 36) if tokens[1] >= 30 else range(10)
        assert set(tokens[1:]) <= set(pool)


def test_a_token_that_is_a_sink_wherever_it_stands_is_none_by_repetition(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, OneTokenModel(sinks=(0,), is_born_sink=True))
    row = next(row for row in run.records.rows() if row["token"] == 0)
    assert (row["norm"], row["norm_control"], row["norm_change"]) == pytest.approx((1.0, 1.0, 0.0))
    assert outcome.metrics["common/norm_change"] == pytest.approx(0.0)
    _, made = run_in(tmp_path / "made", OneTokenModel(sinks=(0,)))
    assert made.metrics["common/norm_change"] == pytest.approx(0.09)


def test_where_no_copy_gets_a_first_tokens_norm_none_looks_first(tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, OneTokenModel(sinks=()))
    assert outcome.metrics["common/looks_first"] == outcome.metrics["unused/failed_looks_first"] == 0.0
    assert outcome.metrics["common/norm"] == pytest.approx(0.1)


def test_where_position_0_does_not_stand_out_nothing_looks_first(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, OneTokenModel(first_norm=1.5))
    assert outcome.metrics["common/looks_first"] is None and outcome.metrics["common/norm"] is not None
    assert any("stands out (1.50 times that of other tokens at most, in layer 1; 2 are needed)" in n for n in run.notes)


def test_a_copy_after_it_failed_does_not_explain_why(tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, OneTokenModel(sinks=(0,)), common="0:2")
    assert outcome.metrics["common/failed_looks_first"] == 0.5
    LAST[0] = 2  # fails after the third copy, before the fourth gets its norm
    try:
        _, outcome = run_in(tmp_path / "early", OneTokenModel(sinks=(0,)), common="0:2")
    finally:
        LAST[0] = 5
    assert outcome.metrics["common/failed_looks_first"] == 0.0


@pytest.mark.parametrize(("finished", "kept"), [(0, 0), (1, 1), (5, 5), (7, 7)])
def test_killed_and_resumed_it_ends_with_the_same_bytes(tmp_path: Path, finished: int, kept: int) -> None:
    whole_model = OneTokenModel()
    whole_run, whole = run_in(tmp_path / "whole", whole_model, batch_size=5)
    assert whole_model.passes == 8
    with pytest.raises(RunFailed):
        run_in(tmp_path / "killed", OneTokenModel(fail_after=finished), batch_size=5)
    model = OneTokenModel()
    resumed_run, resumed = run_in(tmp_path / "killed", model, batch_size=5)
    assert model.passes == 8 - kept
    assert to_json(resumed.metrics) == to_json(whole.metrics)
    assert to_json(resumed.details) == to_json(whole.details)
    assert resumed.arrays.keys() == whole.arrays.keys()
    assert all(resumed.arrays[name].tobytes() == array.tobytes() for name, array in whole.arrays.items())
    assert resumed_run.records.rows() == whole_run.records.rows()


def test_other_batches_and_seeds(tmp_path: Path) -> None:
    found = [
        [
            row["token"]
            for row in run_in(tmp_path / name, OneTokenModel(), seed=seed, batch_size=size, n_tokens=4)[
                0
            ].records.rows()
        ]
        for name, seed, size in (("a", 0, 1), ("b", 0, 4), ("c", 1, 4))
    ]
    assert found[0] == found[1] != found[2]


CASES = {
    "everything": ({}, {}),
    "no_bos": ({}, {"about": facts(bos_id=None)}),
    "no_attention": ({"has_heads": False}, {}),
    "no_residual": ({"has_residual": False}, {}),
    "nothing_inside": ({"has_heads": False, "has_residual": False}, {}),
    "one_token": ({}, {"unused": "30:31"}),
    "two_tokens": ({}, {"unused": "30:32"}),
}


@pytest.mark.parametrize("case", CASES)
def test_whatever_a_model_lacks_the_rest_is_answered_and_shown(case: str, tmp_path: Path) -> None:
    model, settings = CASES[case]
    run, outcome = run_in(tmp_path, OneTokenModel(**model), **settings)
    measured, notes = outcome.metrics, " ".join(run.notes)
    assert measured["common/started"] == 1.0
    has_attention, has_bos = case not in ("no_attention", "nothing_inside"), case != "no_bos"
    has_norms = case not in ("no_residual", "nothing_inside", "one_token")
    assert (measured["common/attention_first"] is not None) == has_attention
    assert (measured["common/attention_bos"] is not None) == (has_attention and has_bos)
    assert (measured["common/attention_first_control"] is not None) == (has_attention and case != "one_token")
    assert (measured["common/norm"] is not None) == has_norms
    assert ("attention patterns" in notes) != has_attention
    assert ("no BOS" in notes) != has_bos
    assert ("norms are left out" in notes) != has_norms
    stored = stored_run(tmp_path, outcome)
    assert [row.label for row in headline(stored)] == ["unused", "common"]
    drawn = {figure.name: figure.draw(stored) for figure in DISPLAY.figures}
    assert drawn["logprob"] is not None and drawn["going_on"] is not None
    assert (drawn["sink"] is not None) == (has_attention or has_norms)
    for canvas in drawn.values():
        if canvas is not None:
            canvas.savefig(tmp_path / "drawn.png")
    built = {table.name: table.build(stored) for table in DISPLAY.tables}
    assert (
        built["tokens"] is not None
        and len(built["tokens"]) == measured["unused/n_tokens"] + measured["common/n_tokens"]
    )
    assert all(frame is not None and len(frame) for frame in built.values())


def test_without_bos_the_first_copy_stands_at_position_0(tmp_path: Path) -> None:
    model = OneTokenModel()
    _, outcome = run_in(tmp_path, model, about=facts(bos_id=None))
    assert outcome.details["n_repetitions"] == LENGTH and outcome.arrays["common/logprob"].shape == (10, LENGTH)
    assert outcome.arrays["common/norm"][:, 0].tolist() == [1.0] * 10
    # Head 0 of both layers looks there.
    assert outcome.metrics["common/attention_first"] == pytest.approx(1 / 3)


def test_tokens_with_a_job_and_tokens_that_coincide_are_left_out(tmp_path: Path, rows: Coinciding) -> None:
    rows.seen.update(dict.fromkeys((30, 31, 32), (30, 31, 32)))
    rows.said.update(rows.seen)
    run, outcome = run_in(tmp_path, OneTokenModel(), about=facts(roles=(35, BOS)))
    records = [row for row in run.records.rows() if row["pool"] == "unused"]
    assert [row["token"] for row in records] == [30, 33, 34, 36, 37, 38, 39]
    assert records[0]["n_coinciding"] == 3
    assert outcome.metrics["common/n_tokens"] == 7
    assert any("1 of its 10 ids have a job" in note for note in run.notes)
    assert any("can tell 7 of its 9 ids apart" in note for note in run.notes)


def test_a_token_that_coincides_is_as_good_as_the_right_one(tmp_path: Path, rows: Coinciding) -> None:
    # Where nothing is said all logits are equal, and the lowest id counts as the likeliest.
    rows.said.update({31: (0, 31)})
    run, _ = run_in(tmp_path, OneTokenModel())
    records = {row["token"]: row for row in run.records.rows()}
    assert (records[31]["top1_share"], records[31]["top1_alike_share"]) == (0.0, 1.0)
    assert records[32]["top1_alike_share"] == 0.0
