"""repeat_tokens on a model made of rules: every number is the one the rules give."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from experiments.repeat_tokens import figures, quantities, tables
from experiments.repeat_tokens.quantities import QUANTITIES, Predictions, Quantity, Shown
from harness.errors import RunFailed
from harness.runs.folder import to_json
from tests.helpers.rule_model import (
    BOS,
    CERTAIN,
    D_VOCAB,
    LOGIT,
    MISLED,
    SEQ_LEN,
    UNIFORM,
    RuleModel,
    run_in,
    stored_run,
)

pytestmark = pytest.mark.unit


def test_every_number_is_the_one_the_rules_give(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, RuleModel())
    metrics = outcome.metrics
    second = ((SEQ_LEN - 1) * CERTAIN + UNIFORM) / SEQ_LEN
    shuffled = ((SEQ_LEN - 1) * MISLED + UNIFORM) / SEQ_LEN
    expected = {
        "unused/copy_effect": 0.0,
        "unused/order_effect": 0.0,
        "unused/logit_diff": 0.0,
        "common/logit_diff": (SEQ_LEN - 1) / SEQ_LEN * LOGIT,
        "unused/logprob_first_half": UNIFORM,
        "unused/copy_gain": 0.0,
        "unused/copy_accuracy": 0.0,
        "unused/rank_second_half": D_VOCAB,
        "unused/entropy_first_half": -UNIFORM,
        "unused/induction_score_max": 0.0,
        "unused/duplicate_token_score_max": 1.0,
        "unused/n_tokens": 12,
        "common/copy_effect": second - UNIFORM,
        "common/copy_effect_cued": CERTAIN - UNIFORM,
        "common/order_effect": second - shuffled,
        "common/presence_effect": shuffled - UNIFORM,
        "common/logprob_control": UNIFORM,
        "common/logprob_shuffled": shuffled,
        "common/logprob_coinciding": second,
        "common/logprob_first_half": UNIFORM,
        "common/logprob_second_half": second,
        "common/copy_gain": second - UNIFORM,
        "common/copy_gain_cued": CERTAIN - UNIFORM,
        "common/copy_accuracy": (SEQ_LEN - 1) / SEQ_LEN,
        "common/copy_accuracy_cued": 1.0,
        "common/rank_second_half": 1.0,
        "common/induction_score_max": 1.0,
        "common/prev_token_score_max": 1.0,
        "common/n_sequences": 6,
        "compare/unused_vs_common/copy_effect_diff": UNIFORM - second,
        "compare/unused_vs_common/copy_accuracy_cued_diff": -1.0,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert (metrics["common/induction_head"], metrics["common/prev_token_head"]) == ("L3H2", "L0H1")
    assert metrics["unused/duplicate_token_head"] == "L3H2"
    p_value = metrics["compare/unused_vs_common/p_value"]
    assert isinstance(p_value, float) and p_value < 0.01
    # Three pairs of sequences a pool: 20 ways to relabel them, the two most extreme counted.
    assert metrics["compare/unused_vs_common/p_value_these_tokens"] == pytest.approx(0.1)
    high = metrics["unused/copy_accuracy/ci_high"]
    assert isinstance(high, float) and 0.5 < high < 0.9  # three pairs of sequences that are all wrong say little
    assert run.notes == [
        "Draws are matched: every pair of sequences takes 10 tokens of each pool (unused 12, common 20), anew each "
        "time and without replacement."
    ]


def test_every_token_has_a_record_of_its_own(tmp_path: Path) -> None:
    run, _ = run_in(tmp_path, RuleModel(), n_sequences=40)
    rows = [row for row in run.records.rows() if "token" in row]
    assert {row["pool"]: 0 for row in rows}.keys() == {"unused", "common"}
    common = [row for row in rows if row["pool"] == "common"]
    assert sorted(row["token"] for row in common) == list(range(20))
    # 40 halves of five, their first positions left out.
    assert sum(row["n_appearances"] for row in common) == 40 * 4
    assert [row["copy_effect"] for row in common] == pytest.approx([CERTAIN - UNIFORM] * 20, abs=1e-5)
    effects = [row["copy_effect"] for row in rows if row["pool"] == "unused"]
    assert effects == sorted(effects)


def test_arrays_and_details_are_as_described(tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, RuleModel())
    shapes = {name: array.shape for name, array in outcome.arrays.items() if name.startswith("common/")}
    curves = ("logprob_mean", "logprob_low", "logprob_high", "accuracy_mean", "rank_median", "entropy_mean")
    assert shapes == {f"common/position/{name}": (10,) for name in curves} | {
        "common/position/logprob_control_mean": (5,),
        "common/position/logprob_foil_mean": (5,),
        "common/position/logprob_shuffled_mean": (5,),
        "common/heads/attention_by_offset": (2, 3, 6),
        "common/example/pattern": (4, 11, 11),
        "common/example/tokens": (11,),
        "common/example/logprob": (10,),
    }
    mean = outcome.arrays["common/position/logprob_mean"]
    assert mean.tolist() == pytest.approx([UNIFORM] * 6 + [CERTAIN] * 4, abs=1e-5)
    assert outcome.arrays["common/position/logprob_control_mean"].tolist() == pytest.approx([UNIFORM] * 5, abs=1e-5)
    by_offset = outcome.arrays["common/heads/attention_by_offset"]
    assert by_offset[0, 1].tolist() == [0, 1, 0, 0, 0, 0]
    assert by_offset[1, 2].tolist() == [0, 0, 0, 0, 1, 0]
    details = outcome.details
    assert [head["label"] for head in details["heads"]["top"]] == ["L3H2", "L0H0"]
    # The previous-token head first; no head is kept twice.
    assert [head["label"] for head in details["heads"]["previous"]] == ["L0H1", "L0H2"]
    assert details["heads"]["layers"] == [0, 3]
    assert details["heads"]["by_pool"]["common"]["induction"][0]["score"] == 1.0
    assert details["pools"]["unused"]["ids"] == list(range(30, 42))
    assert details["examples"]["common"]["tokens_shown"][0] == str(BOS)
    logprob = outcome.arrays["common/example/logprob"]
    assert logprob.tolist() == pytest.approx([UNIFORM] * 6 + [CERTAIN] * 4, abs=1e-5)
    previous = outcome.arrays["common/example/pattern"][2]
    assert all(previous[query, query - 1] == 1 for query in range(SEQ_LEN + 1, 2 * SEQ_LEN + 1))
    # The first top head's pattern: from every second-half query to the token after its copy.
    pattern = outcome.arrays["common/example/pattern"][0]
    assert all(pattern[query, query - SEQ_LEN + 1] == 1 for query in range(SEQ_LEN + 1, 2 * SEQ_LEN + 1))
    to_json(details)


def test_every_interval_says_what_it_is_over(tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, RuleModel())
    for name in outcome.metrics:
        if name.endswith("/ci_low"):
            pool, *rest = name.removesuffix("/ci_low").split("/")
            sentence = outcome.details["intervals"]["/".join([pool, rest[-1]] if pool == "compare" else rest)]
            assert "sequences" in sentence or "tokens" in sentence


def test_records_hold_one_line_per_sequence_and_give_the_metrics(tmp_path: Path) -> None:
    model = RuleModel()
    run, outcome = run_in(tmp_path, model, batch_size=4)
    rows = [row for row in run.records.rows() if "index" in row]
    # Every recorded sequence is one the model saw, beside two controls each, and the last two passes are the examples.
    repeated = [[BOS, *row["tokens"], *row["tokens"]] for row in rows]
    seen = [tokens for tokens in model.seen if tokens[1 : SEQ_LEN + 1] == tokens[SEQ_LEN + 1 :]]
    assert seen == [*repeated, repeated[0], repeated[6]]
    assert len(model.seen) == 3 * 12 + 2
    assert [row["item"] for row in rows] == [f"{pool}/{i}" for pool in ("unused", "common") for i in range(6)]
    assert all(len(row["tokens"]) == SEQ_LEN for row in rows)
    gains = [row["copy_gain"] for row in rows if row["pool"] == "common"]
    assert np.mean(gains) == pytest.approx(outcome.metrics["common/copy_gain"])


@pytest.mark.parametrize(("finished", "kept"), [(0, 0), (2, 0), (3, 3), (10, 9), (19, 19)])
def test_killed_and_resumed_it_ends_with_the_same_bytes(tmp_path: Path, finished: int, kept: int) -> None:
    whole_model = RuleModel()
    whole_run, whole = run_in(tmp_path / "whole", whole_model, batch_size=2)
    assert whole_model.passes == 20  # three batches of three passes and an example for each pool
    with pytest.raises(RunFailed):
        run_in(tmp_path / "killed", RuleModel(fail_after=finished), batch_size=2)
    model = RuleModel()
    resumed_run, resumed = run_in(tmp_path / "killed", model, batch_size=2)
    assert model.passes == 20 - kept
    assert to_json(resumed.metrics) == to_json(whole.metrics)
    assert to_json(resumed.details) == to_json(whole.details)
    assert resumed.arrays.keys() == whole.arrays.keys()
    assert all(resumed.arrays[name].tobytes() == array.tobytes() for name, array in whole.arrays.items())
    assert resumed_run.records.rows() == whole_run.records.rows()
    third = RuleModel(fail_after=0)
    run_in(tmp_path / "killed", third, batch_size=2)
    assert third.passes == 0


def test_without_bos_the_first_token_has_no_prediction(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, RuleModel(has_bos=False), bos_id=None)
    assert np.isnan(outcome.arrays["common/position/logprob_mean"][0])
    assert not np.isnan(outcome.arrays["common/position/logprob_mean"][1:]).any()
    assert outcome.metrics["common/logprob_first_half"] == pytest.approx(UNIFORM)
    assert outcome.metrics["common/copy_gain_cued"] == pytest.approx(CERTAIN - UNIFORM, abs=1e-5)
    assert outcome.metrics["common/induction_head"] == "L3H2"
    assert not outcome.details["has_bos"]
    assert outcome.arrays["common/example/tokens"].shape == (2 * SEQ_LEN,)
    assert any(note.startswith("no BOS") for note in run.notes)


def test_without_attention_there_are_log_probs_and_a_note(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, RuleModel(has_heads=False))
    assert outcome.metrics["common/copy_accuracy_cued"] == 1.0
    assert not [name for name in (*outcome.metrics, *outcome.arrays) if "head" in name or "pattern" in name]
    assert outcome.details["heads"]["applicable"] is False
    assert any("no attention patterns" in note for note in run.notes)


def test_one_sequence_has_no_intervals(tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, RuleModel(), n_sequences=1)
    ends = {name: value for name, value in outcome.metrics.items() if "/ci_" in name or "p_value" in name}
    assert ends and all(value is None for value in ends.values())
    assert np.isnan(outcome.arrays["common/position/logprob_low"]).all()


def test_the_seed_changes_the_draw_and_the_batch_size_does_not(tmp_path: Path) -> None:
    tokens = []
    for folder, seed, size in (("a", 0, 1), ("b", 0, 4), ("c", 1, 4)):
        run, _ = run_in(tmp_path / folder, RuleModel(), seed=seed, batch_size=size)
        tokens.append([row["tokens"] for row in run.records.rows() if "index" in row])
    assert tokens[0] == tokens[1]
    assert tokens[1] != tokens[2]


def test_halves_by_hand() -> None:
    values = np.array([[-4.0, -2.0, -3.0, -1.0], [-8.0, -8.0, 0.0, 0.0]], dtype=np.float32)
    correct = np.array([[0, 1, 0, 1], [1, 1, 1, 1]], dtype=np.float32)
    control = np.array([[-6.0, -5.0], [-7.0, -9.0]], dtype=np.float32)
    own = np.array([[True, True], [False, True]])
    found = Predictions(values, -values, 2 * values, correct, control, control + 1, control - 2, control + 2, own)
    halves = SimpleNamespace(**{quantity.name: quantity.of(found) for quantity in QUANTITIES})
    nan = np.nan
    expected = {
        "copy_effect": [[3, 4], [nan, 9]],
        "copy_effect_cued": [[nan, 4], [nan, 9]],
        "order_effect": [[2, 3], [nan, 8]],
        "presence_effect": [[1, 1], [nan, 1]],
        "logit_diff": [[5, 6], [nan, 11]],
        "logprob_first_half": [[-4, -2], [nan, -8]],
        "logprob_second_half": [[-3, -1], [nan, 0]],
        "logprob_coinciding": [[-4, -3], [nan, -7]],
        "copy_gain": [[1, 1], [nan, 8]],
        "copy_gain_cued": [[nan, 1], [nan, 8]],
        "copy_accuracy": [[0, 1], [nan, 1]],
        "rank_first_half": [[4, 2], [nan, 8]],
        "entropy_second_half": [[-6, -2], [nan, 0]],
    }
    for name, items in expected.items():
        np.testing.assert_array_equal(getattr(halves, name), np.array(items, dtype=np.float64), err_msg=name)


def test_a_quantity_is_declared_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worst = Quantity(
        "worst", lambda p: np.minimum(p.second(p.logprob), p.first(p.logprob)), "worst log-prob (nats)",
        Shown.PICTURE, is_compared=True,
    )  # fmt: skip
    monkeypatch.setattr(quantities, "QUANTITIES", (*QUANTITIES, worst))
    _, outcome = run_in(tmp_path, RuleModel())
    assert outcome.metrics["common/worst"] == pytest.approx(UNIFORM)
    assert {"common/worst/ci_low", "compare/unused_vs_common/worst_diff/p_value"} <= set(outcome.metrics)
    assert outcome.details["intervals"]["worst"].startswith("Student t")
    assert outcome.details["intervals"]["compare/worst_diff"].startswith("Welch t")
    assert '"worst": ' in (tmp_path / "records.jsonl").read_text().splitlines()[0]
    stored = stored_run(tmp_path, outcome)
    assert "worst log-prob (nats)" in tables.pool_metrics(stored)["measure"].tolist()
    assert "worst" in tables.comparisons(stored)["measure"].tolist()
    drawn = figures.draw_copy_summary(stored)
    assert drawn is not None
    assert [axes.get_xlabel() for axes in drawn.axes][-1] == "worst log-prob (nats)"


def test_a_model_that_says_only_that_some_token_of_the_pool_comes_knows_none_of_them(tmp_path: Path) -> None:
    class Kinds(RuleModel):
        """After a token that occurred before, whose successor was of 30..41, expects all of these alike."""

        def forward(self, tokens: torch.Tensor, *rest: Any) -> torch.Tensor:
            logits = super().forward(tokens, *rest)
            for row, sequence in enumerate(tokens.tolist()):
                for position in range(1, len(sequence)):
                    earlier = [place for place in range(position) if sequence[place] == sequence[position]]
                    if earlier and 30 <= sequence[earlier[-1] + 1] < 42:
                        logits[row, position, 30:42] = LOGIT
            return logits

    _, outcome = run_in(tmp_path, Kinds())
    effect = outcome.metrics["unused/copy_effect"]
    assert isinstance(effect, float) and effect > 1  # a gain, though nothing is known of the token itself
    assert outcome.metrics["unused/logit_diff"] == pytest.approx(0.0, abs=1e-6)
    assert outcome.metrics["common/logit_diff"] == pytest.approx((SEQ_LEN - 1) / SEQ_LEN * LOGIT)
