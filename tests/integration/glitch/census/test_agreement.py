"""A census by agreement of a model whose wrong answers are known beforehand, wording by wording."""

import json
import shutil

import numpy as np
import pytest

from experiments.census.config import CensusConfig
from harness.errors import Rejected
from harness.glitch.census import ladder as ladder_module
from harness.glitch.census.stored import find_census, load_census
from harness.measure.intervals import wilson
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from tests.helpers.scripted_census import EXTRA_ROWS, write_model
from tests.helpers.scripted_ladder import ladder_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]

ASKED = ("glitchhunter", "glitchprober", "glitchminer", "benchmark")
ECHOED = ("echo_1", "echo_3", "echo_8", "echo_20")
COPIED = ("copied_1", "copied_3")
CAP, ON, AT_A = 260, 261, 262
NEVER, ONLY_ASKED, ONLY_ONE, ONLY_COPIED = CAP, 200, 40, ON
"""Tokens that fail everywhere, all four questions in words, one of them, and copying alone."""
WRONG = {
    **{name: frozenset({NEVER, ONLY_ASKED}) for name in ASKED},
    "benchmark": frozenset({NEVER, ONLY_ASKED, ONLY_ONE}),
    **{name: frozenset({NEVER}) for name in ECHOED},
}
MISREAD = frozenset({NEVER, ONLY_COPIED})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("ladder"))


def config_of(folder, results, seed=0, **exp):
    return RunConfig(
        exp_name="census",
        exp=CensusConfig(**{"n_calibration": 20, **exp}),
        model=ModelConfig(name=str(folder), device="cpu"),
        pools={"common": tuple(range(65, 91))},
        seed=seed,
        results_dir=results,
        tracker=TrackerConfig(kind=TrackerKind.NONE),
    )


def take_census(folder, results, wrong, misread=frozenset(), copies=True, seed=0, **exp):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CausalModel, "load", lambda *known: ladder_model(*known, wrong, misread, copies))
        return execute(config_of(folder, results, seed, **exp))


@pytest.fixture(scope="module")
def planted(folder, tmp_path_factory):
    return take_census(folder, tmp_path_factory.mktemp("planted"), WRONG, MISREAD)


def verdicts(run):
    return dict(zip(run.records["id"], run.records["verdict"], strict=True))


class TestVerdicts:
    def test_only_what_fails_every_wording_is_a_glitch_token(self, planted):
        found = verdicts(planted)
        assert [token for token, verdict in found.items() if verdict == "glitch"] == [NEVER]
        assert set(found.values()) == {"glitch", "not_glitch"}
        assert len(found) == planted.metrics["tested"] == 256 + 10 + EXTRA_ROWS
        assert planted.metrics["glitch_tokens"] == 1
        assert planted.metrics["counting_wordings"] == 10
        assert planted.metrics["counting_families"] == 3

    def test_the_others_depend_on_the_wording(self, planted):
        records = planted.records.set_index("id")
        depends = records.index[records["prompt_dependent"] == True].tolist()  # noqa: E712
        assert sorted(depends) == sorted([ONLY_ASKED, ONLY_ONE, ONLY_COPIED])
        assert planted.metrics["prompt_dependent"] == 3
        assert records.loc[ONLY_ASKED, "failed"] == 4
        assert records.loc[NEVER, "failed"] == records.loc[NEVER, "asked"] == records.loc[NEVER, "counting"] == 10

    def test_the_artefact_of_each_wording_is_what_others_pass(self, planted):
        metrics = planted.metrics
        assert (metrics["wording/benchmark/failed"], metrics["wording/benchmark/artefact_tokens"]) == (3, 2)
        assert (metrics["wording/glitchhunter/failed"], metrics["wording/glitchhunter/artefact_tokens"]) == (2, 1)
        assert (metrics["wording/echo_3/failed"], metrics["wording/echo_3/artefact"]) == (1, 0)
        assert (metrics["wording/copied_1/failed"], metrics["wording/copied_1/artefact_tokens"]) == (2, 1)

    def test_agreement_is_counted_by_hand(self, planted):
        names = planted.details["wordings"]
        benchmark, echo, copied = (names.index(name) for name in ("benchmark", "echo_3", "copied_1"))
        fails_passes = planted.arrays["artefacts"]
        assert fails_passes[benchmark, echo] == 2
        assert fails_passes[echo, benchmark] == 0
        assert (fails_passes[benchmark, copied], fails_passes[copied, benchmark]) == (2, 1)
        n = planted.metrics["wording/copied_1/asked"]
        assert planted.arrays["agreement"][benchmark, copied] == pytest.approx(1 - 3 / n)

    def test_margins_stand_where_the_place_of_the_answer_is_known(self, planted):
        arrays = planted.arrays
        place = arrays["ids"].tolist().index(65)
        assert arrays["glitchminer/margin"][place] == arrays["echo_1/margin"][place] == 10
        assert np.isnan(arrays["glitchhunter/margin"]).all()
        assert arrays["copied_1/margin"][place] == pytest.approx(10)


class TestWhatCounts:
    def test_of_one_family_alone_nothing_is_decided(self, folder, tmp_path):
        says_nothing = {name: True for name in (*ASKED, *ECHOED)}
        run = take_census(folder, tmp_path, says_nothing, MISREAD)
        assert run.details["informative"] == ["copied_1", "copied_3"]
        found = verdicts(run)
        assert {token for token, verdict in found.items() if verdict == "undecided"} == MISREAD
        # No token could have been called one: a share of zero would pass a gate.
        assert run.metrics["glitch_rate"] is None
        assert run.headline[0].values["tokens"] == "can't be decided"
        stored = load_census(run.folder, identity_of(folder))
        assert (stored.glitch, stored.informative) == ({}, ())
        assert run.metrics["undecided_tokens"] == 2
        assert any("of one family" in note for note in run.notes)
        assert set(run.records.set_index("id").loc[list(MISREAD), "glitch"]) == {None}

    def test_a_model_that_says_nothing_gets_no_verdict(self, folder, tmp_path):
        says_nothing = {name: True for name in (*ASKED, *ECHOED)}
        run = take_census(folder, tmp_path, says_nothing, copies=False)
        assert run.metrics["tested"] == 0
        assert run.metrics["glitch_rate"] is None
        assert any(note.startswith("Nothing can be said") for note in run.notes)
        assert run.headline[0].values["tokens"] == "nothing can be said"

    def test_a_wording_that_well_known_tokens_fail_takes_no_part(self, folder, tmp_path):
        run = take_census(folder, tmp_path, {**WRONG, "benchmark": True}, MISREAD)
        assert run.metrics["wording/benchmark/counts"] == 0
        assert run.metrics["wording/benchmark/failed"] > 200
        assert [token for token, verdict in verdicts(run).items() if verdict == "glitch"] == [NEVER]
        assert run.metrics["prompt_dependent"] == 2


class TestSamples:
    def test_others_than_the_sample_get_the_same_verdicts(self, planted, folder, tmp_path):
        run = take_census(folder, tmp_path, WRONG, MISREAD, n_sample=60, shard=50)
        assert verdicts(run) == dict(
            sorted(verdicts(planted).items(), key=lambda item: list(verdicts(run)).index(item[0]))
        )
        assert int(run.arrays["in_sample"].sum()) == 60
        assert run.arrays["sample/weight"].sum() == pytest.approx(len(run.arrays["ids"]))

    def test_a_sample_alone_estimates_the_whole(self, folder, tmp_path):
        run = take_census(folder, tmp_path, {}, n_tokens=30)
        assert run.metrics["tested"] == run.metrics["sample"] == 30
        assert run.metrics["glitch_rate"] == 0
        assert 0 < run.metrics["glitch_rate/ci_high"] < 0.2
        assert any("30 of 268 tokens" in note for note in run.notes)
        assert not load_census(run.folder, resolve_identity(ModelConfig(name=str(folder)))).is_complete

    def test_named_tokens_alone(self, folder, tmp_path):
        run = take_census(folder, tmp_path, WRONG, MISREAD, tokens="255:265")
        assert sorted(run.records["id"]) == list(range(255, 265))
        assert run.metrics["glitch_tokens"] == 1

    def test_a_whole_that_was_asked_entirely_has_the_interval_of_its_kind(self, planted):
        assert planted.metrics["glitch_rate/ci_low"] < planted.metrics["glitch_rate"]
        assert planted.metrics["glitch_rate/ci_high"] == pytest.approx(wilson(1, 268).high)

    def test_tokens_that_are_none_are_refused(self, folder, tmp_path):
        with pytest.raises(Rejected, match="tokens"):
            take_census(folder, tmp_path, {}, tokens="500:600")

    def test_sampled_answers_stand_beside(self, folder, tmp_path):
        run = take_census(folder, tmp_path, WRONG, MISREAD, n_samples=3, tokens="255:265", temperature=0.01)
        failures = dict(zip(run.arrays["sampled/ids"].tolist(), run.arrays["sampled/failures"].tolist(), strict=True))
        assert failures[NEVER] == 3
        assert failures[ON] == 0
        assert run.metrics["sampled/glitch/failure_rate"] == 1

    def test_an_interrupted_census_ends_with_the_same_bytes(self, folder, tmp_path):
        whole = take_census(folder, tmp_path / "whole", WRONG, MISREAD, n_sample=40, shard=64)
        asked = []
        ask = ladder_module.Ladder.ask

        def counted(self, *known, **named):
            asked.append(1)
            if len(asked) == stops[0]:
                raise KeyboardInterrupt
            return ask(self, *known, **named)

        stops = [0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ladder_module.Ladder, "ask", counted)
            for stops[0] in (4, 14, 12):
                asked.clear()
                with pytest.raises(KeyboardInterrupt):
                    take_census(folder, tmp_path / "cut", WRONG, MISREAD, n_sample=40, shard=64)
        resumed = take_census(folder, tmp_path / "cut", WRONG, MISREAD, n_sample=40, shard=64)
        for name in ("metrics.json", "records.jsonl", "arrays.safetensors"):
            assert (whole.folder / name).read_bytes() == (resumed.folder / name).read_bytes()


def identity_of(folder):
    return resolve_identity(ModelConfig(name=str(folder)))


class TestStored:
    def test_verdicts_are_read_back(self, planted, folder):
        census = load_census(planted.folder, identity_of(folder))
        assert census.glitch_ids == (NEVER,)
        # All but the four pass the cheapest; what fails it is asked on.
        order = census.informative
        cost = {name: planted.metrics[f"wording/{name}/positions_per_token"] for name in order}
        fails = {NEVER: set(order), ONLY_ASKED: set(ASKED), ONLY_ONE: {"benchmark"}, ONLY_COPIED: set(COPIED)}
        paid = 264 * cost[order[0]]
        for some in fails.values():
            first = next((number for number, name in enumerate(order) if name not in some), len(order) - 1)
            paid += sum(cost[name] for name in order[: first + 1])
        assert census.tokens_per_query == pytest.approx(paid / 268)
        assert census.is_complete
        assert sorted(census.informative) == sorted((*ASKED, *ECHOED, *COPIED))
        assert find_census(planted.folder.parents[1], identity_of(folder)) == planted.folder

    def test_another_models_census_is_refused(self, planted, tmp_path):
        other = write_model(tmp_path / "other", tied=False)
        with pytest.raises(Rejected, match=r"one of other"):
            load_census(planted.folder, identity_of(other))
        with pytest.raises(Rejected, match="no census of other"):
            find_census(planted.folder.parents[1], identity_of(other))

    @pytest.mark.parametrize(
        "what",
        ["rule", "verdict", "no verdict", "prompt", "revision", "unfinished", "another experiment", "nothing"],
    )
    def test_what_is_no_census_of_this_model_is_refused(self, planted, folder, tmp_path, what):
        copy = shutil.copytree(planted.folder, tmp_path / "copy")
        details = json.loads((copy / "details.json").read_text())
        manifest = json.loads((copy / "manifest.json").read_text())
        if what == "rule":
            details["rule_version"] = "substring-0"
        elif what == "verdict":
            details["verdict"] = "published"
        elif what == "no verdict":  # as runs before there were two rules
            del details["verdict"]
        elif what == "prompt":
            details["questions"]["echo_3"]["version"] = "older"
        elif what == "revision":
            manifest["model"] |= {"weights_sha256": None, "revision": "abc"}
        elif what == "unfinished":
            manifest["status"] = "running"
        elif what == "another experiment":
            manifest["experiment"] = "echo_token"
        (copy / "details.json").write_text(json.dumps(details))
        (copy / "manifest.json").write_text(json.dumps(manifest))
        path = tmp_path / "nowhere" if what == "nothing" else copy
        by_name = "a census by the published rule, allowed: one by agreement"
        with pytest.raises(Rejected, match=by_name if "verdict" in what else "^census: got"):
            load_census(path, identity_of(folder))
