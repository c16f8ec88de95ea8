"""Every sweep that ships is a sweep, and its jobs are jobs."""

from itertools import pairwise

import pytest

from harness.runs.config.compose import CONF, compose_run
from harness.runs.config.overrides import normalise
from harness.sweep import expand

pytestmark = pytest.mark.unit

SWEEPS = sorted(path.stem for path in (CONF / "sweep").glob("*.yaml"))
N_JOBS = {"models_by_pools": 5 * 2 * 3, "local_models": 2 * 2 * 3, "path_star_table": 2 * 3 * 3, "path_star_small": 6,
          "path_star_mamba": 6, "path_star_gpu": 3 * 7 * 3, "path_star_later": 6,
          "path_star_wide_heads": 18, "path_star_token_order": 6}  # fmt: skip


@pytest.mark.parametrize("name", SWEEPS)
def test_it_expands_to_different_jobs_that_are_accepted(name: str) -> None:
    jobs = list(expand(normalise([f"sweep={name}"])))
    assert len(jobs) == N_JOBS.get(name, len(jobs)) > 1
    configs = [compose_run(job) for job in jobs]
    assert all(first != second for first, second in pairwise(configs))


@pytest.mark.parametrize("sweep", ["local_models", "models_by_pools"])
@pytest.mark.parametrize(
    ("typed", "models"),
    [
        ("model=gpt2-xl", {"gpt2-xl"}),
        ("model.name=./a,pocket", {"./a", "pocket"}),
        ("model=pocket,gpt2", {"pocket", "gpt2"}),
    ],
)
def test_models_that_were_typed_take_the_place_of_the_files(sweep: str, typed: str, models: set[str]) -> None:
    configs = [compose_run(job) for job in expand(normalise([f"sweep={sweep}", typed]))]
    assert {config.model.name for config in configs} == models
    assert len(configs) == len(models) * 2 * 3
    # One model after the other: what is known of a model is kept for the next job only.
    names = [config.model.name for config in configs]
    assert sum(first != second for first, second in pairwise(names)) == len(models) - 1


def test_another_experiment_may_be_swept() -> None:
    jobs = expand(normalise(["sweep=local_models", "exp=echo_token"]))
    assert {compose_run(job).exp_name for job in jobs} == {"echo_token"}
