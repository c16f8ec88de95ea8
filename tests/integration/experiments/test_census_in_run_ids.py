"""A run that takes a census for the truth is another run with another census."""

import shutil

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]


def test_another_census_is_another_run(tmp_path):
    from harness.pipeline import execute
    from harness.runs.config.compose import compose_run
    from harness.runs.preparing import prepare

    common = ["tracker=none", f"results_dir={tmp_path}"]
    before = prepare(compose_run(["exp=glitchhunter", *common])).run_id
    census = execute(compose_run(["exp=census", "exp.n_tokens=40", *common]))
    with_census = prepare(compose_run(["exp=glitchhunter", *common])).run_id
    again = prepare(compose_run(["exp=glitchhunter", *common])).run_id
    assert before != with_census == again
    shutil.rmtree(census.folder)
    assert prepare(compose_run(["exp=glitchhunter", *common])).run_id == before
