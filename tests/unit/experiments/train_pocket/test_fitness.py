"""What is said of an organism that did not learn what it is made for; the numbers of one that did not are real."""

import json

import pytest

from experiments.train_pocket.fitness import shortcomings
from harness.models.identity import EMBEDDED_FOLDER

pytestmark = pytest.mark.unit


def measured(copied, **tasks):
    natural = {} if copied is None else {"1000:": {"copy_accuracy_cued": copied}}
    return {"natural": natural, "tasks_held_out": {name: {"passed": n, "n": 64} for name, n in tasks.items()}}


def test_one_that_copies_and_answers_lacks_nothing():
    assert shortcomings(measured(0.99, repetition=64, spelling=3)) == []


def test_the_shipped_one_lacks_nothing():
    recipe = json.loads((EMBEDDED_FOLDER / "recipe.json").read_text(encoding="utf-8"))
    assert shortcomings(recipe["measured"]) == []


def test_one_that_never_learnt_is_called_so():
    # An untied organism of 96 dimensions after 4,500 steps.
    copying, answering = shortcomings(measured(0.0, glitchminer=37, repetition=34))
    assert "copies 0.000 of the tokens" in copying
    assert "the best, glitchminer: 0.58" in answering


def test_nothing_well_shown_is_not_called_a_failure():
    (said,) = shortcomings(measured(None))
    assert "nothing says whether" in said
