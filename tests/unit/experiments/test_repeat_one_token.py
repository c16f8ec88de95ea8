"""repeat_one_token on a model made of rules, for which every number is known beforehand."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.repeat_one_token import measure as measuring
from experiments.repeat_one_token import metrics
from experiments.repeat_one_token.config import RepeatOneTokenConfig, check
from experiments.repeat_one_token.display import DISPLAY, headline
from experiments.repeat_one_token.going_on import GoingOn
from harness.errors import Rejected, RunFailed
from harness.glitch.copying.coinciding import Coinciding, units_of
from harness.measure.compare import permutation_p_value
from harness.models.loaded import NO_EDITS, NO_REDUCERS, LoadedModel, ModelStructure
from harness.models.vocab_facts import VocabFacts
from harness.runs._subject import Subject
from harness.runs.config.schema import RunConfig
from harness.runs.config.typed import to_dataclass
from harness.runs.context import Outcome, Run
from harness.runs.experiment import CheckContext
from harness.runs.folder import RunFolder, to_json
from harness.runs.results.stored_run import StoredRun
from harness.tokens.pools import resolve_pools

pytestmark = pytest.mark.unit

D_VOCAB, BOS, LENGTH, D_MODEL = 50, 49, 13, 4
N = LENGTH - 1
"""Copies."""
LOGIT = 5.0
SAID = LOGIT - math.log(math.exp(LOGIT) + D_VOCAB - 1)
UNIFORM = -math.log(D_VOCAB)
LAST = {0: 5, 1: 8, 2: 11, 3: 11}
"""Up to how many copies a token is said; all others below 20 are said to the end, none from 20 on is."""
SINKS_FROM = 4
"""From this copy on tokens 0 and 30 have a first token's norm."""


class RuleModel(LoadedModel):
    """Says the token below 20 that has stood twice in a row, up to `LAST` times in a row.

    In layers 0 and 3 head 0 looks at position 0, head 1 at position 1 (in layer 3 with half its weight) and head 2 at
    itself. Norms: 1 in layer 0; in layer 1 position 0 has 10, all others 1, but copies as `SINKS_FROM` says.
    """

    fingerprint, device, dtype = "rules", "cpu", torch.float32

    def __init__(
        self,
        has_heads: bool = True,
        has_residual: bool = True,
        first_norm: float = 10.0,
        sinks: tuple[int, ...] = (0, 30),
        is_born_sink: bool = False,
        fail_after: int | None = None,
    ) -> None:
        self.passes, self.seen = 0, []
        self.layers = (0, 3) if has_heads else ()
        self.has_residual, self.first_norm, self.sinks, self.is_born_sink = (
            has_residual,
            first_norm,
            sinks,
            is_born_sink,
        )
        self.fail_after = fail_after

    @property
    def structure(self) -> ModelStructure:
        names = [f"blocks.{layer}.attn.hook_pattern" for layer in self.layers]
        names += [f"blocks.{layer}.hook_resid_post" for layer in (0, 1) if self.has_residual]
        return ModelStructure((*names, "hook_embed"), 4, 3, D_MODEL, D_VOCAB, 64)

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
        for name, reducer in reducers.items():
            layer = int(name.split(".")[1])
            reducer(self._pattern(tokens, layer) if "pattern" in name else self._stream(tokens, layer))
        logits = torch.zeros(*tokens.shape, D_VOCAB)
        for row, sequence in enumerate(tokens.tolist()):
            for position, token in enumerate(sequence):
                if token < 20 and 2 <= copies_at(sequence, position) <= LAST.get(token, 99):
                    logits[row, position, token] = LOGIT
        return logits

    def embedding(self) -> torch.Tensor:
        raise NotImplementedError

    unembedding = embedding

    def close(self) -> None:
        pass

    def _pattern(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        n_pos = tokens.shape[1]
        pattern = torch.zeros(len(tokens), 3, n_pos, n_pos)
        pattern[:, 0, :, 0] = 1
        weight = 1.0 if layer == 0 else 0.5
        itself = torch.arange(n_pos)
        pattern[:, 1, itself, itself] = 1 - weight
        pattern[:, 1, 1:, 1] += weight
        pattern[:, 2, itself, itself] = 1
        return pattern

    def _stream(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        norm = torch.ones(tokens.shape)
        if layer == 1:
            for row, sequence in enumerate(tokens.tolist()):
                for position, token in enumerate(sequence):
                    is_late = copies_at(sequence, position) >= SINKS_FROM
                    if token in self.sinks and (is_late or self.is_born_sink):
                        norm[row, position] = self.first_norm
            norm[:, 0] = self.first_norm
        return norm[..., None].expand(*tokens.shape, D_MODEL) / math.sqrt(D_MODEL)


def copies_at(sequence: list[int], position: int) -> int:
    """How often in a row the token at a position has stood there."""
    start = position
    while start and sequence[start - 1] == sequence[position]:
        start -= 1
    return position - start + 1


def facts(bos_id: int | None = BOS, n_ctx: int | None = 64, roles: tuple[int, ...] = ()) -> VocabFacts:
    special = frozenset(roles) | (frozenset() if bos_id is None else frozenset({bos_id}))
    return VocabFacts("rules", D_VOCAB, n_ctx, None, (), special, bos_id, (), (), None, role_ids=frozenset(roles))


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> Coinciding:
    """Which tokens coincide: none, but those that a test puts in."""
    found = Coinciding({}, {})
    monkeypatch.setattr(measuring, "find_coinciding", lambda _: found)
    fewer = partial(permutation_p_value, n_permutations=1_999)
    monkeypatch.setattr(metrics, "permutation_p_value", fewer)  # sixteen tests a run take a second with all
    return found


def run_in(
    folder: Path,
    model: RuleModel,
    seed: int = 0,
    about: VocabFacts | None = None,
    unused: str = "30:40",
    common: str = "0:10",
    **parameters: Any,
) -> tuple[Run, Outcome]:
    exp = RepeatOneTokenConfig(**{"length": LENGTH, **parameters})
    config = RunConfig(
        "repeat_one_token", exp, pools={"unused": unused, "common": common}, seed=seed, results_dir=folder
    )
    about = facts() if about is None else about
    run = Run(config, RunFolder(folder), Subject(None, about, resolve_pools(config.pools, about, seed), None))
    run._model = model
    return run, measuring.measure(run)


def stored_run(folder: Path, outcome: Outcome) -> StoredRun:
    """The answer as its tables and pictures read it."""
    (folder / "metrics.json").write_text(to_json(dict(outcome.metrics)))
    (folder / "details.json").write_text(to_json(dict(outcome.details)))
    (folder / "config.yaml").write_text("pools: {unused: '30:40', common: '0:10'}\n")
    (folder / "manifest.json").write_text("{}")
    stored = StoredRun(folder)
    vars(stored)["arrays"] = dict(outcome.arrays)
    return stored


def test_every_number_is_the_one_the_rules_give(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, RuleModel())
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
        "common/attention_first_head": "0.1",
        "common/attention_first_head_max": 1.0,
        "common/attention_bos": 1 / 3,
        "common/attention_bos_head": "0.0",
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
    run, _ = run_in(tmp_path, RuleModel())
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
    model = RuleModel()
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
    run, outcome = run_in(tmp_path, RuleModel(sinks=(0,), is_born_sink=True))
    row = next(row for row in run.records.rows() if row["token"] == 0)
    assert (row["norm"], row["norm_control"], row["norm_change"]) == pytest.approx((1.0, 1.0, 0.0))
    assert outcome.metrics["common/norm_change"] == pytest.approx(0.0)
    _, made = run_in(tmp_path / "made", RuleModel(sinks=(0,)))
    assert made.metrics["common/norm_change"] == pytest.approx(0.09)


def test_where_no_copy_gets_a_first_tokens_norm_none_looks_first(tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, RuleModel(sinks=()))
    assert outcome.metrics["common/looks_first"] == outcome.metrics["unused/failed_looks_first"] == 0.0
    assert outcome.metrics["common/norm"] == pytest.approx(0.1)


def test_where_position_0_does_not_stand_out_nothing_looks_first(tmp_path: Path) -> None:
    run, outcome = run_in(tmp_path, RuleModel(first_norm=1.5))
    assert outcome.metrics["common/looks_first"] is None and outcome.metrics["common/norm"] is not None
    assert any("stands out (1.50 times that of other tokens at most, in layer 1; 2 are needed)" in n for n in run.notes)


def test_a_copy_after_it_failed_does_not_explain_why(tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, RuleModel(sinks=(0,)), common="0:2")
    assert outcome.metrics["common/failed_looks_first"] == 0.5
    LAST[0] = 2  # fails after the third copy, before the fourth gets its norm
    try:
        _, outcome = run_in(tmp_path / "early", RuleModel(sinks=(0,)), common="0:2")
    finally:
        LAST[0] = 5
    assert outcome.metrics["common/failed_looks_first"] == 0.0


def test_starts_and_ends_by_hand() -> None:
    said = np.array(
        [
            [0, 1, 1, 0, 1],  # an end counts once, what comes after it does not
            [0, 0, 0, 0, 0],
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 1],
            [1, 0, 0, 0, 0],
        ],
        dtype=bool,
    )
    found = GoingOn.of(said)
    assert found.starts.tolist() == [2, 0, 1, 5, 1]
    assert found.diverges.tolist() == [4, 0, 0, 0, 2]
    assert found.lasted.tolist() == [2, 0, 5, 1, 1]
    assert found.still_goes_on.tolist() == [False, False, True, True, False]
    assert found.fails_at.tolist() == [4, 5, 0, 0, 2]
    curve = found.survival()
    assert curve is not None
    # Four started: one ended after 1 (another was last seen then), one after 2, one was last seen after 5.
    assert curve.time.tolist() == [1, 2, 5] and curve.share == pytest.approx([3 / 4, 3 / 8, 3 / 8])
    assert GoingOn.of(said[1:2]).survival() is None


@pytest.mark.parametrize(("finished", "kept"), [(0, 0), (1, 1), (5, 5), (7, 7)])
def test_killed_and_resumed_it_ends_with_the_same_bytes(tmp_path: Path, finished: int, kept: int) -> None:
    whole_model = RuleModel()
    whole_run, whole = run_in(tmp_path / "whole", whole_model, batch_size=5)
    assert whole_model.passes == 8
    with pytest.raises(RunFailed):
        run_in(tmp_path / "killed", RuleModel(fail_after=finished), batch_size=5)
    model = RuleModel()
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
            for row in run_in(tmp_path / name, RuleModel(), seed=seed, batch_size=size, n_tokens=4)[0].records.rows()
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
    run, outcome = run_in(tmp_path, RuleModel(**model), **settings)
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
    model = RuleModel()
    _, outcome = run_in(tmp_path, model, about=facts(bos_id=None))
    assert outcome.details["n_repetitions"] == LENGTH and outcome.arrays["common/logprob"].shape == (10, LENGTH)
    assert outcome.arrays["common/norm"][:, 0].tolist() == [1.0] * 10
    # Head 0 of both layers looks there.
    assert outcome.metrics["common/attention_first"] == pytest.approx(1 / 3)


def test_tokens_with_a_job_and_tokens_that_coincide_are_left_out(tmp_path: Path, rows: Coinciding) -> None:
    rows.seen.update(dict.fromkeys((30, 31, 32), (30, 31, 32)))
    rows.said.update(rows.seen)
    run, outcome = run_in(tmp_path, RuleModel(), about=facts(roles=(35, BOS)))
    records = [row for row in run.records.rows() if row["pool"] == "unused"]
    assert [row["token"] for row in records] == [30, 33, 34, 36, 37, 38, 39]
    assert records[0]["n_coinciding"] == 3
    assert outcome.metrics["common/n_tokens"] == 7
    assert any("1 of its 10 ids have a job" in note for note in run.notes)
    assert any("can tell 7 of its 9 ids apart" in note for note in run.notes)


def test_a_token_that_coincides_is_as_good_as_the_right_one(tmp_path: Path, rows: Coinciding) -> None:
    # Where nothing is said all logits are equal, and the lowest id counts as the likeliest.
    rows.said.update({31: (0, 31)})
    run, _ = run_in(tmp_path, RuleModel())
    records = {row["token"]: row for row in run.records.rows()}
    assert (records[31]["top1_share"], records[31]["top1_alike_share"]) == (0.0, 1.0)
    assert records[32]["top1_alike_share"] == 0.0


def test_units_are_linked_through_others_of_the_ids_only() -> None:
    coinciding = {5: (5, 6, 9), 6: (5, 6), 7: (7, 9)}
    assert units_of((5, 6, 7, 8), coinciding) == ((5, 6), (7,), (8,))
    assert units_of((7, 6, 5, 9), {**coinciding, 9: (5, 7, 9)}) == ((5, 6, 7, 9),)


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"length": 3}, "exp.length: got 3"),
        ({"n_tokens": 0}, "exp.n_tokens: got 0"),
        ({"batch_size": 0}, "exp.batch_size"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], key: str) -> None:
    with pytest.raises(Rejected, match=key):
        to_dataclass(RepeatOneTokenConfig, parameters, "exp.")


def context(about: VocabFacts, **parameters: Any) -> CheckContext:
    config = RunConfig("repeat_one_token", RepeatOneTokenConfig(**parameters), pools={"unused": "30:32"})
    return CheckContext(config, Subject(None, about, resolve_pools(config.pools, about, 0), None))


def test_what_cannot_work_is_refused_before_anything_is_loaded() -> None:
    check(context(facts(n_ctx=64), length=64))
    check(context(facts(n_ctx=None), length=9_999))
    with pytest.raises(
        Rejected, match=r"^length: got 65, allowed: 4 to 64, the tokens of the context \(BOS included\)"
    ):
        check(context(facts(n_ctx=64), length=65))
    with pytest.raises(Rejected, match=r"^model.n_ctx: got a window of 3 tokens, allowed: at least 4"):
        check(context(facts(n_ctx=3)))
    with pytest.raises(Rejected, match=r"^pools.unused: got 2 ids, each with a job"):
        check(context(facts(roles=(30, 31))))


@pytest.mark.parametrize(("n_ctx", "length"), [(64, 64), (None, 512), (2048, 512)])
def test_by_default_a_sequence_fills_the_context(n_ctx: int | None, length: int, tmp_path: Path) -> None:
    _, outcome = run_in(tmp_path, RuleModel(), about=facts(n_ctx=n_ctx), length=None, n_tokens=1)
    assert outcome.details["length"] == length
