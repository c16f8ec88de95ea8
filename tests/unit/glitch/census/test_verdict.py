import pytest

from harness.glitch.census.verdict import Calibration, is_glitch
from harness.tokens.prompts import Task

pytestmark = pytest.mark.unit

R, S, L = Task.REPETITION, Task.SPELLING, Task.LENGTH


@pytest.mark.parametrize(("passed", "informative"), [(9, True), (10, True), (8, False)])
def test_a_task_counts_from_nine_in_ten_on(passed, informative):
    found = Calibration(R, passed, 10, "pool common")
    assert found.is_informative is informative
    assert ("uninformative" in found.sentence()) is not informative


def test_a_task_that_was_not_tried_does_not_count():
    assert not Calibration(R, 0, 0, "pool common").is_informative
    assert "no common token" in Calibration(R, 0, 0, "x").sentence()
    assert "does not fit the window" in Calibration(R, 0, 0, "x", fits=False).sentence()
    assert Calibration(R, 0, 0, "x").interval is None


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
