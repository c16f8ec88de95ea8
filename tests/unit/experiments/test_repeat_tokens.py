"""repeat_tokens on a model made of rules, for which every number is known beforehand."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from experiments.repeat_tokens import figures, quantities, tables
from experiments.repeat_tokens import measure as measuring
from experiments.repeat_tokens.config import Draws, RepeatTokensConfig, check
from experiments.repeat_tokens.draws import notes, plan_draws
from experiments.repeat_tokens.quantities import QUANTITIES, Predictions, Quantity, Shown
from harness.errors import Rejected, RunFailed
from harness.glitch.copying.coinciding import Coinciding
from harness.models.loaded import NO_EDITS, NO_REDUCERS, LoadedModel, ModelStructure
from harness.models.vocab_facts import VocabFacts
from harness.runs._subject import Subject
from harness.runs.config.schema import Reference, RunConfig
from harness.runs.config.typed import to_dataclass
from harness.runs.context import Outcome, Run
from harness.runs.experiment import CheckContext
from harness.runs.folder import RunFolder, to_json
from harness.runs.results.stored_run import StoredRun
from harness.tokens.pools import resolve_pools

pytestmark = pytest.mark.unit

D_VOCAB, SEQ_LEN, BOS = 50, 5, 49
LOGIT = 5.0
CERTAIN = LOGIT - math.log(math.exp(LOGIT) + D_VOCAB - 1)
UNIFORM = -math.log(D_VOCAB)
MISLED = -math.log(math.exp(LOGIT) + D_VOCAB - 1)
"""Where another token was announced."""


class RuleModel(LoadedModel):
    """Expects what followed the same token before, if that is below 20, and nothing else; heads do one thing each.

    Head 0.1 looks at the previous token, head 3.2 is an induction head for the ids that are copied and looks at the
    duplicate for others; the rest look at themselves. Layers 1 and 2 have no attention.
    """

    fingerprint, device, dtype = "rules", "cpu", torch.float32

    def __init__(self, has_bos: bool = True, has_heads: bool = True, fail_after: int | None = None) -> None:
        self.first = SEQ_LEN + int(has_bos)
        self.passes = 0
        self.seen: list[list[int]] = []
        self.fail_after = fail_after
        self.layers = (0, 3) if has_heads else ()

    @property
    def structure(self) -> ModelStructure:
        names = tuple(f"blocks.{layer}.attn.hook_pattern" for layer in self.layers)
        return ModelStructure((*names, "hook_embed"), 4, 3, 8, D_VOCAB, 64)

    def forward(
        self,
        tokens: torch.Tensor,
        reducers: Mapping[str, Callable[[torch.Tensor], None]] = NO_REDUCERS,
        edits: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = NO_EDITS,
    ) -> torch.Tensor:
        if self.fail_after is not None and self.passes >= self.fail_after:
            raise RunFailed("killed")
        self.passes += 1
        self.seen.extend(tokens.tolist())
        n_pos = tokens.shape[1]
        for name, reducer in reducers.items():
            reducer(self._pattern(tokens, int(name.split(".")[1])))
        logits = torch.zeros(len(tokens), n_pos, D_VOCAB)
        for row, sequence in enumerate(tokens.tolist()):
            for position in range(1, n_pos):
                earlier = [place for place in range(position) if sequence[place] == sequence[position]]
                if earlier and sequence[earlier[-1] + 1] < 20:
                    logits[row, position, sequence[earlier[-1] + 1]] = LOGIT
        return logits

    def embedding(self) -> torch.Tensor:
        raise NotImplementedError

    unembedding = embedding

    def close(self) -> None:
        pass

    def _pattern(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        n_pos = tokens.shape[1]
        pattern = torch.eye(n_pos).repeat(len(tokens), 3, 1, 1)
        for row, sequence in enumerate(tokens.tolist()):
            for query in range(1, n_pos):
                back = {0: (1, 1)}.get(layer, (2, SEQ_LEN - 1 if sequence[query] < 20 else SEQ_LEN))
                head, key = back[0], max(query - back[1], 0)
                pattern[row, head, query] = 0
                pattern[row, head, query, key] = 1
        return pattern


def facts(bos_id: int | None = BOS, n_ctx: int | None = 64) -> VocabFacts:
    special = frozenset() if bos_id is None else frozenset({bos_id})
    return VocabFacts("rules", D_VOCAB, n_ctx, None, (), special, bos_id, (), (), None)


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> Coinciding:
    """Which tokens coincide: none, but those that a test puts in."""
    found = Coinciding({}, {})
    monkeypatch.setattr(measuring, "find_coinciding", lambda _: found)
    return found


def run_in(
    folder: Path,
    model: RuleModel,
    seed: int = 0,
    bos_id: int | None = BOS,
    unused: str = "30:42",
    reference: Reference | None = None,
    **parameters: Any,
) -> tuple[Run, Outcome]:
    exp = RepeatTokensConfig(**{"seq_len": SEQ_LEN, "n_sequences": 6, "top_heads": 2, "own_share": 1.0, **parameters})
    config = RunConfig(
        "repeat_tokens", exp, pools={"unused": unused, "common": "0:20"}, seed=seed, results_dir=folder,
        reference=reference,
    )  # fmt: skip
    pools = resolve_pools(config.pools, facts(bos_id), seed)
    run = Run(config, RunFolder(folder), Subject(None, facts(bos_id), pools, None))
    run._model = model
    return run, measuring.measure(run)


def stored_run(folder: Path, outcome: Outcome, unused: str = "30:42") -> StoredRun:
    """The answer as its tables and pictures read it."""
    (folder / "metrics.json").write_text(to_json(dict(outcome.metrics)))
    (folder / "details.json").write_text(to_json(dict(outcome.details)))
    (folder / "config.yaml").write_text(f"pools: {{unused: '{unused}', common: '0:20'}}\n")
    (folder / "manifest.json").write_text("{}")
    return StoredRun(folder)


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
    assert (metrics["common/induction_head"], metrics["common/prev_token_head"]) == ("3.2", "0.1")
    assert metrics["unused/duplicate_token_head"] == "3.2"
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
        "common/example/pattern": (2, 11, 11),
        "common/example/tokens": (11,),
    }
    mean = outcome.arrays["common/position/logprob_mean"]
    assert mean.tolist() == pytest.approx([UNIFORM] * 6 + [CERTAIN] * 4, abs=1e-5)
    assert outcome.arrays["common/position/logprob_control_mean"].tolist() == pytest.approx([UNIFORM] * 5, abs=1e-5)
    by_offset = outcome.arrays["common/heads/attention_by_offset"]
    assert by_offset[0, 1].tolist() == [0, 1, 0, 0, 0, 0]
    assert by_offset[1, 2].tolist() == [0, 0, 0, 0, 1, 0]
    details = outcome.details
    assert [head["label"] for head in details["heads"]["top"]] == ["3.2", "0.0"]
    assert details["heads"]["layers"] == [0, 3]
    assert details["heads"]["by_pool"]["common"]["induction"][0]["score"] == 1.0
    assert details["pools"]["unused"]["ids"] == list(range(30, 42))
    assert details["examples"]["common"]["tokens_shown"][0] == str(BOS)
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
    assert outcome.metrics["common/induction_head"] == "3.2"
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


def test_a_pool_that_runs_out_of_sequences_says_so(tmp_path: Path) -> None:
    run, _ = run_in(tmp_path, RuleModel(), unused="30:31", n_sequences=4, draws=Draws.REPLACEMENT)
    assert "pools.unused: only 1 of 4 sequences differ, so its intervals are too short" in run.notes


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"seq_len": 0}, "exp.seq_len: got 0"),
        ({"seq_len": 1}, "exp.seq_len: got 1"),
        ({"n_sequences": 0}, "exp.n_sequences: got 0"),
        ({"top_heads": 0}, "exp.top_heads: got 0"),
        ({"batch_size": 0}, "exp.batch_size: got 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], key: str) -> None:
    with pytest.raises(Rejected, match=key):
        to_dataclass(RepeatTokensConfig, parameters, "exp.")


@pytest.mark.parametrize(
    ("bos_id", "n_ctx", "longest"), [(BOS, 64, 31), (None, 64, 32), (BOS, 65, 32), (BOS, None, 999)]
)
def test_sequences_must_fit_the_context(bos_id: int | None, n_ctx: int | None, longest: int) -> None:
    def context(seq_len: int) -> CheckContext:
        exp = RepeatTokensConfig(seq_len=seq_len)
        return CheckContext(RunConfig("repeat_tokens", exp), Subject(None, facts(bos_id, n_ctx), {}, None))

    check(context(longest))
    if n_ctx is not None:
        with pytest.raises(Rejected, match=f"^seq_len: got {longest + 1}, allowed: 2 to {longest} "):
            check(context(longest + 1))


def test_a_window_too_short_for_anything_is_named() -> None:
    exp = RepeatTokensConfig(seq_len=2)
    with pytest.raises(Rejected, match=r"^model.n_ctx: got a window of 4 tokens, allowed: at least 5 \(BOS"):
        check(CheckContext(RunConfig("repeat_tokens", exp), Subject(None, facts(BOS, 4), {}, None)))


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
