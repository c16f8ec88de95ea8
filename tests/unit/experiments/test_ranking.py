"""Whether weights rank under-training, from hand-made counts."""

import numpy as np
import pytest

from experiments.undertrained.data import Verified
from experiments.undertrained.ranking import judge_ranking
from harness.tokens.prompts import Task

pytestmark = pytest.mark.unit


def controls(n: int, n_verified: int) -> Verified:
    best = np.where(np.arange(n) < n_verified, 0.001, 0.9)
    return Verified(tuple(range(n)), {Task.MAGIKARP_REPEATS: best} if n else {}, np.ones(n, dtype=bool), {})


def judged(k: int, n: int, j: int, m: int, problems: str = ""):
    return judge_ranking(problems, np.arange(n) < k, np.ones(n, dtype=bool), controls(m, j))


def test_candidates_that_fail_more_often_than_random_tokens():
    # As published for GPT-2: 33 of 967; the chance that none of 256 random tokens fails is 0.0005 if they fail alike.
    found = judged(33, 967, 0, 256)
    assert found.weights_rank is True
    assert found.p == pytest.approx(0.0005, rel=0.4)
    # The verification decides against what the weights said.
    assert judged(33, 967, 0, 256, "rows apart").weights_rank is True


def test_candidates_that_fail_no_more_often():
    found = judged(11, 4000, 2, 256)
    assert found.weights_rank is False
    assert "11 of 4000 candidates are verified (0.3%), and 2 of 256 random tokens (0.8%)" in found.reason


def test_what_the_verification_leaves_open():
    assert judged(0, 900, 0, 256).weights_rank is None
    assert judged(2, 900, 0, 256).weights_rank is None
    assert judged(2, 900, 0, 256, "rows apart").weights_rank is False
    assert judged(5, 900, 0, 0).p is None
