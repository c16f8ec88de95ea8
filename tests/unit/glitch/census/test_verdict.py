import pytest

from harness.glitch.census.families import WordingFamily
from harness.glitch.census.verdict import Calibration, Verdict, agree, is_glitch
from harness.tokens.prompts import Task

pytestmark = pytest.mark.unit

R, S, L = Task.REPETITION, Task.SPELLING, Task.LENGTH


@pytest.mark.parametrize(("passed", "informative"), [(9, True), (10, True), (8, False)])
def test_a_task_counts_from_nine_in_ten_on(passed, informative):
    found = Calibration("repetition", passed, 10, "pool common")
    assert found.is_informative is informative
    assert ("uninformative" in found.sentence()) is not informative


def test_a_task_that_was_not_tried_does_not_count():
    assert not Calibration("repetition", 0, 0, "pool common").is_informative
    assert "no common token" in Calibration("repetition", 0, 0, "x").sentence()
    assert "does not fit the window" in Calibration("repetition", 0, 0, "x", fits=False).sentence()
    assert Calibration("repetition", 0, 0, "x").interval is None


@pytest.mark.parametrize(
    ("passed", "informative", "glitch"),
    [
        ({R: True, S: True}, (R, S, L), False),
        ({R: True, S: False}, (R, S, L), True),
        ({R: True, S: False}, (R,), False),  # spelling tells nothing about this model
        ({S: False}, (R,), None),
        ({R: None, S: True}, (R, S), False),
        ({R: False}, (), None),
    ],
)
def test_a_glitch_token_fails_any_informative_task(passed, informative, glitch):
    assert is_glitch(passed, informative) is glitch


A, E, C = WordingFamily.ASKED, WordingFamily.ECHOED, WordingFamily.COPIED


@pytest.mark.parametrize(
    ("passed", "verdict"),
    [
        ({A: [False], E: [False]}, Verdict.GLITCH),
        ({A: [False, False], C: [False]}, Verdict.GLITCH),
        ({A: [False, False, False]}, Verdict.UNDECIDED),  # one family, however many wordings
        ({A: [False], E: []}, Verdict.UNDECIDED),  # the other could not be asked
        ({A: [False, False], E: [False, True]}, Verdict.NOT_GLITCH),
        ({C: [True]}, Verdict.NOT_GLITCH),
        ({A: [], E: []}, Verdict.NONE),
        ({}, Verdict.NONE),
    ],
)
def test_agreement_takes_two_families(passed, verdict):
    assert agree(passed) is verdict


def test_only_two_verdicts_say_something():
    assert [verdict.as_glitch for verdict in Verdict] == [True, False, None, None]
