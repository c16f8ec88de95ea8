"""A value keeps its type: text that looks like a number stays text, a truth value is no number, a choice is a name."""

import string
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import Rejected
from harness.runs.config.compose import compose_run
from harness.runs.config.overrides import normalise
from harness.sweep import _quoted, expand, spelled_out

pytestmark = pytest.mark.unit


@given(st.text("0123456789abcdef", min_size=8, max_size=8) | st.sampled_from(["97692205", "4e074085", "00000000"]))
def test_a_sweep_id_reaches_hydra_as_the_text_it_is(sweep_id: str) -> None:
    override = OverridesParser.create().parse_override(f"++sweep_id={_quoted(sweep_id)}")
    assert str(override.value()) == sweep_id
    assert not isinstance(override.value(), int | float)


@pytest.mark.parametrize("sweep_id", ["97692205", "4e074085"])
def test_such_a_sweep_id_composes(sweep_id: str) -> None:
    assert compose_run(["exp=repeat_tokens", f"++sweep_id={_quoted(sweep_id)}"]).sweep_id == sweep_id


@settings(max_examples=25, deadline=None)
@given(st.text("0123456789e", min_size=1, max_size=7) | st.sampled_from(["5e10", "true", "False", "1_000", "inf"]))
def test_a_revision_is_the_text_that_was_typed(revision: str) -> None:
    config = compose_run(["exp=repeat_tokens", f"model.revision={revision}"])
    assert config.model.revision == revision


def test_a_token_named_true_is_a_word_and_a_number_is_an_id() -> None:
    assert compose_run(["exp=token_card", "exp.token=true"]).exp.token == "true"
    assert compose_run(["exp=token_card", "exp.token=False"]).exp.token == "False"
    assert compose_run(["exp=token_card", "exp.token=1.5"]).exp.token == "1.5"
    assert compose_run(["exp=token_card", "exp.token=262"]).exp.token == 262
    assert compose_run(["exp=token_card", "exp.token='262'"]).exp.token == "262"
    assert compose_run(["exp=token_card", "exp.token=null"]).exp.token is None


@pytest.mark.parametrize("text", ["seed=true", "exp.seq_len=true", "exp.batch_size=false", "cache.max_gb=true"])
def test_a_truth_value_is_no_number(text: str) -> None:
    key, value = text.split("=")
    with pytest.raises(Rejected, match=rf"^{key}: got {value.title()}, allowed: a number$"):
        compose_run(["exp=repeat_tokens", text])


@pytest.mark.parametrize("value", ["null", "5", "true", "1.5"])
@pytest.mark.parametrize("group", ["model", "pools", "tracker"])
def test_a_choice_that_is_no_name_is_one_line(group: str, value: str) -> None:
    with pytest.raises(Rejected, match=rf"^{group}: got '{value}', allowed: [a-z]"):
        compose_run(["exp=repeat_tokens", f"{group}={value}"])


def test_names_are_what_they_were() -> None:
    for name in string.ascii_lowercase[:3]:
        assert compose_run(["exp=repeat_tokens", f"model.name={name}"]).model.name == name


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("model.revision=5e10,main", ["5e10", "main"]),
        ("model.revision=choice(4e07,97692205)", ["4e07", "97692205"]),
        ("model.revision='a, b',true", ["a, b", "true"]),
        ('model.revision="x=y, [z",1_000', ["x=y, [z", "1_000"]),
    ],
)
def test_each_of_several_values_keeps_its_type(typed: str, values: list[str]) -> None:
    jobs = list(expand(normalise(["exp=repeat_tokens", typed])))
    assert [compose_run(job).model.revision for job in jobs] == values
    # The same texts reach Hydra, which counts the jobs itself.
    (sweep,) = [text for text in spelled_out(normalise(["exp=repeat_tokens", typed])) if "revision" in text]
    swept = OverridesParser.create().parse_override(sweep)
    assert [getattr(value, "text", value) for value in swept.value().list] == values


def test_numbers_among_several_values_stay_numbers() -> None:
    jobs = list(expand(normalise(["exp=token_card", "exp.token=true,262", "seed=0,1"])))
    assert [(config.exp.token, config.seed) for config in map(compose_run, jobs)] == [
        ("true", 0), ("true", 1), (262, 0), (262, 1),
    ]  # fmt: skip
    lists = expand(normalise(["exp=undertrained", "exp.unused_ids=[1,2],[3]"]))
    assert [compose_run(job).exp.unused_ids for job in lists] == [(1, 2), (3,)]


@pytest.fixture
def sweep_of_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A sweep file that chooses the experiment and a parameter of it."""
    (tmp_path / "conf" / "sweep").mkdir(parents=True)
    (tmp_path / "conf" / "sweep" / "cards.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /exp: token_card\nhydra:\n  sweeper:\n    params:\n"
        "      exp.token: true,262\n"
    )
    monkeypatch.setenv("HARNESS_PATH", str(tmp_path))
    return "sweep=cards"


def test_text_for_an_experiment_that_the_sweep_file_chooses_stays_text(sweep_of_cards: str) -> None:
    jobs = list(expand(normalise([sweep_of_cards])))
    assert [compose_run(job).exp.token for job in jobs] == ["true", 262]
    typed = list(expand(normalise([sweep_of_cards, "exp.token=false,5e10"])))
    assert [compose_run(job).exp.token for job in typed] == ["false", "5e10"]


@pytest.mark.parametrize(
    ("typed", "token"),
    [
        ("exp.token= the", " the"),
        ("exp.token=the", "the"),
        ("exp.token=' the'", " the"),
        ('exp.token=" it\'s"', " it's"),
    ],
)
def test_a_space_before_a_text_stays(typed: str, token: str) -> None:
    assert compose_run(["exp=token_card", typed]).exp.token == token
