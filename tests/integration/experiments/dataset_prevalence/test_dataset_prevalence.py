"""Counts by hand: a data set in which it is known which tokens stand where."""

import csv
import json
from pathlib import Path

import pytest

from experiments.dataset_prevalence.documents.reading import MOST_CHARACTERS
from harness.errors import Rejected
from harness.measure.intervals import wilson
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.models.tokenizer_loading import load_tokenizer
from harness.pipeline import execute
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind
from harness.runs.config.typed import to_dataclass
from harness.runs.context import Run
from harness.tokens.prompts import Task
from tests.helpers.scripted_census import scripted_model, write_model

pytestmark = pytest.mark.integration

CAP, ON = 260, 261
DOCUMENTS = ["cap cap x", "on", "xyz", "cap", ""]
N_TOKENS = [5, 1, 3, 1, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("prevalence") / "tiny")


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in DOCUMENTS))
    return path


def config(folder, results, exp_name="dataset_prevalence", **exp):
    from harness.runs import registry

    return RunConfig(
        exp_name=exp_name,
        exp=to_dataclass(registry.load(exp_name).config, exp, "exp."),
        model=ModelConfig(name=str(folder), device="cpu"),
        pools={"common": tuple(range(65, 91))},
        results_dir=results,
        tracker=TrackerConfig(kind=TrackerKind.NONE),
    )


def count(folder, results, path, **exp):
    return execute(config(folder, results, path=str(path), **exp))


def take_census(folder, results, monkeypatch, wrong):
    monkeypatch.setattr(CausalModel, "load", lambda identity, config: scripted_model(identity, config, wrong))
    return execute(config(folder, results, "census"))


def test_counts_by_hand(folder, data, tmp_path):
    run = count(folder, tmp_path, data, tokens=(CAP, ON, 50), chunk=2)
    metrics = run.metrics
    assert (metrics["documents"], metrics["tokens"], metrics["empty_documents"]) == (5, sum(N_TOKENS), 1)
    assert metrics["token_share"] == pytest.approx(4 / 10)
    assert metrics["token_share/ci_low"] < 0.4 < metrics["token_share/ci_high"]
    assert metrics["document_share"] == pytest.approx(3 / 4)
    assert metrics["document_share/ci_low"] == pytest.approx(wilson(3, 4).low)
    rows = run.records.to_dict("records")
    assert [(row["id"], row["tokens"], row["documents"], row["first_in"]) for row in rows] == [
        (CAP, 3, 2, 1),
        (ON, 1, 1, 2),
    ]
    assert metrics["glitch_tokens_known"] == 3 and metrics["glitch_tokens_met"] == 2
    assert run.arrays["tokens"].tolist() == [0, 3, 1]
    for name in ("figures/most_frequent.png", "tables/tokens.csv", "tables/shares.tex", "report.html"):
        assert (run.folder / name).is_file()


def test_chunks_change_nothing(folder, data, tmp_path):
    one, many = (count(folder, tmp_path, data, tokens=(CAP, ON), chunk=size) for size in (1, 100))
    for name in ("metrics.json", "records.jsonl", "arrays.safetensors"):
        assert (one.folder / name).read_bytes() == (many.folder / name).read_bytes()


def test_an_interrupted_run_goes_on_where_it_was(folder, data, tmp_path, monkeypatch):
    from experiments.dataset_prevalence.measure import Totals

    whole = count(folder, tmp_path / "whole", data, tokens=(CAP, ON), chunk=1)
    add, counted = Totals.add, []

    def add_three(self, chunk, *rest):
        if len(counted) == 3:
            raise KeyboardInterrupt
        counted.append(chunk)
        add(self, chunk, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Totals, "add", add_three)
        with pytest.raises(KeyboardInterrupt):
            count(folder, tmp_path / "torn", data, tokens=(CAP, ON), chunk=1)
    resumed = []
    monkeypatch.setattr(Totals, "add", lambda self, chunk, *rest: (resumed.append(chunk), add(self, chunk, *rest)))
    again = count(folder, tmp_path / "torn", data, tokens=(CAP, ON), chunk=1)
    assert len(resumed) == len(DOCUMENTS) - 3
    for name in ("metrics.json", "records.jsonl", "arrays.safetensors"):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_another_file_under_the_same_name_is_counted_anew(folder, data, tmp_path):
    first = count(folder, tmp_path, data, tokens=(CAP,))
    data.write_text('{"text": "on"}\n')
    second = count(folder, tmp_path, data, tokens=(CAP,))
    assert first.run_id != second.run_id
    assert second.metrics["glitch_token_occurrences"] == 0
    assert any("None of the 1 glitch tokens" in note for note in second.notes)


class TestCensus:
    def test_the_tokens_of_the_census_are_counted(self, folder, data, tmp_path, monkeypatch):
        census = take_census(folder, tmp_path, monkeypatch, {Task.REPETITION: {CAP: " 'hat'"}})
        run = count(folder, tmp_path, data)
        assert list(run.records["id"]) == [CAP]
        assert run.details["glitch_tokens"]["census"] == census.run_id
        assert count(folder, tmp_path, data, census=census.folder).metrics == run.metrics

    def test_without_a_census_it_is_refused(self, folder, data, tmp_path):
        with pytest.raises(Rejected, match=r"exp\.census: no census"):
            count(folder, tmp_path, data)
        assert not (tmp_path / "dataset_prevalence").exists()

    def test_a_census_of_another_model_is_refused(self, folder, data, tmp_path, tmp_path_factory, monkeypatch):
        census = take_census(folder, tmp_path, monkeypatch, {})
        other = write_model(tmp_path_factory.mktemp("other") / "untied", tied=False)
        with pytest.raises(Rejected, match="a census of tiny"):
            count(other, tmp_path, data, census=census.folder)

    def test_zero_glitch_tokens_is_a_plain_sentence(self, folder, data, tmp_path, monkeypatch):
        take_census(folder, tmp_path, monkeypatch, {})
        run = count(folder, tmp_path, data)
        assert run.metrics["token_share"] == 0.0
        assert run.metrics["document_share"] == 0.0
        assert any(note.startswith("No glitch tokens") for note in run.notes)


class TestBadInput:
    def test_a_malformed_line_leaves_nothing_behind(self, folder, data, tmp_path):
        data.write_text('{"text": "cap"}\n{"text": "on"\n')
        with pytest.raises(Rejected, match=r"exp\.path: data\.jsonl, line 2: no JSON"):
            count(folder, tmp_path, data, tokens=(CAP,))
        assert not list((tmp_path / "dataset_prevalence").glob("*/manifest.json"))

    @pytest.mark.parametrize("content", ["", "\n\n", '{"text": ""}\n'])
    def test_an_empty_data_set(self, folder, data, tmp_path, content):
        data.write_text(content)
        run = count(folder, tmp_path, data, tokens=(CAP,))
        assert run.metrics["tokens"] == 0 and run.metrics["token_share"] is None
        assert run.manifest["exit_code"] == 0
        assert any("The data set is empty" in note for note in run.notes)

    @pytest.mark.parametrize(
        ("exp", "problem"),
        [
            ({"path": None}, r"exp\.path: got None"),
            ({"path": "/nowhere/at/all.jsonl"}, "no such file or folder"),
            ({"path": "owner/name"}, "switched off"),
            ({"tokens": (9999,)}, r"exp\.tokens: got"),
            ({"tokens": "exposures:0:1"}, r"exp\.tokens: got .*training counts"),
            ({"max_documents": 0}, r"exp\.max_documents"),
            ({"tokens": (CAP,), "census": Path("x")}, "contradict"),
            ({"field": "body"}, "line 1: it has no field body"),
        ],
    )
    def test_refusals(self, folder, data, tmp_path, exp, problem):
        with pytest.raises(Rejected, match=problem):
            execute(config(folder, tmp_path, **{"path": str(data), "tokens": (CAP,), **exp}))

    def test_half_a_character_in_a_document(self, folder, data, tmp_path):
        data.write_text('{"text": "cap \\ud83d on"}\n')
        assert count(folder, tmp_path, data, tokens=(CAP, ON)).metrics["glitch_tokens_met"] == 2


def test_only_the_first_documents(folder, data, tmp_path):
    run = count(folder, tmp_path, data, tokens=(CAP,), max_documents=2)
    assert run.metrics["documents"] == 2
    assert run.details["data"]["is_whole"] is False
    assert any("Only the first 2 documents" in note for note in run.notes)


def test_no_weights_are_loaded(folder, data, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(Run, "model", property(refuse))
    monkeypatch.setattr(CausalModel, "load", refuse)
    assert count(folder, tmp_path, data, tokens="byte_unused").metrics["glitch_tokens_known"] == 13


def test_a_piece_of_text_beyond_the_limit(folder, tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("x" * (MOST_CHARACTERS + 5))
    run = count(folder, tmp_path, path, tokens=(CAP,))
    assert run.metrics["documents"] == 2 and run.metrics["tokens"] == MOST_CHARACTERS + 5


def test_hostile_tokens_break_no_table(folder, data, tmp_path):
    """Quotes, commas, markup, a backslash, a control character and half a character as glitch tokens."""
    hostile = '",<&\\\x1b\n='
    data.write_text(json.dumps({"text": hostile * 3 + "é"}) + "\n")
    tokenizer = load_tokenizer(resolve_identity(ModelConfig(name=str(folder))), ModelConfig())
    ids = tuple(dict.fromkeys(tokenizer.encode(hostile + "é")))
    run = count(folder, tmp_path, data, tokens=ids)
    rows = list(csv.DictReader((run.folder / "tables" / "tokens.csv").open(encoding="utf-8", newline="")))
    assert [int(row["id"]) for row in rows] == run.records["id"].tolist()
    assert {row["token"] for row in rows} >= {'"', ",", "<", "&", "\\", "\\u001b", "⏎", "\\xc3"}
    latex = (run.folder / "tables" / "tokens.tex").read_text(encoding="utf-8")
    assert "\x1b" not in latex and r"\& &" in latex and r"\textless{} &" in latex
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "\x1b" not in page and ">&lt;<" in page and ">&amp;<" in page
