"""Every sweep that ships is a sweep, and its jobs are jobs."""

from itertools import pairwise

import pytest

from harness.runs.config.compose import CONF, compose_run
from harness.runs.config.overrides import normalise
from harness.sweep import expand

pytestmark = pytest.mark.unit

SWEEPS = sorted(path.stem for path in (CONF / "sweep").glob("*.yaml"))
N_JOBS = {"models_by_pools": 4 * 2 * 3, "path_star_table": 2 * 3 * 3, "path_star_small": 6, "path_star_mamba": 6,
          "path_star_gpu": 3 * 7 * 3, "path_star_later": 6,
          "path_star_wide_heads": 18, "path_star_token_order": 6}  # fmt: skip


def typed(name: str) -> list[str]:
    # A sweep of path_star names its experiment itself.
    return [f"sweep={name}"] if name.startswith("path_star") else [f"sweep={name}", "exp=repeat_tokens"]


@pytest.mark.parametrize("name", SWEEPS)
def test_it_expands_to_different_jobs_that_are_accepted(name: str) -> None:
    jobs = list(expand(normalise(typed(name))))
    assert len(jobs) == N_JOBS.get(name, len(jobs)) > 1
    configs = [compose_run(job) for job in jobs]
    assert all(first != second for first, second in pairwise(configs))
