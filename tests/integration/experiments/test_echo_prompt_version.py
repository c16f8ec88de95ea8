"""The stamp on an echo run names the prompt that was used."""

import json

import pytest

from harness.pipeline import execute
from harness.runs import registry
from harness.runs.config.compose import compose_run
from harness.runs.identity import answer_key
from harness.runs.preparing import prepare
from harness.tokens.prompts import TEMPLATES, Task, input_output_template

pytestmark = pytest.mark.integration

STAMP = "prompt/magikarp_input_output"


def inputs(*words: str) -> dict[str, str]:
    prepared = prepare(compose_run(["exp=echo_token", "tracker=none", *words]))
    key = answer_key(prepared.config, registry.load("echo_token"), prepared.identity)
    return dict(key["inputs"])


def test_the_run_id_holds_the_version_of_the_prompt_that_is_used():
    assert inputs() == {STAMP: "magikarp-n20-1"}
    assert inputs("exp.n_shots=3") == {STAMP: "magikarp-n3-1"}
    assert input_output_template(20) == TEMPLATES[Task.MAGIKARP_INPUT_OUTPUT]


def test_the_details_hold_it_too(tmp_path):
    small = ["exp.n_shots=3", "exp.n_tokens=1", "exp.n_seeds=1", "exp.max_new_tokens=2"]
    run = execute(compose_run(["exp=echo_token", "tracker=none", f"results_dir={tmp_path}", *small]))
    assert json.loads((run.folder / "details.json").read_text())["prompt"]["version"] == "magikarp-n3-1"
