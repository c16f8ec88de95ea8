"""What the command line makes of its options, wherever among the overrides they stand."""

import pytest

from harness.cli import run_command

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["exp=repeat_tokens", "--bad", "seed=2"], "error: --bad: no such option (python -m harness --help shows how)"),
        (["--ver"], "error: --ver: no such option"),
        (["exp=repeat_tokens", "--cfg"], "error: argument --cfg/-c: expected one argument"),
        (["--cfg", "everything", "exp=repeat_tokens"], "error: --cfg: got 'everything', allowed: job, hydra, all"),
        (["--help", "--config-dir=/nowhere"], "error: --config-dir: got '/nowhere', allowed: a folder that has"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(words) == 2
    assert capsys.readouterr().err.startswith(problem)


def test_options_may_stand_between_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["seed=3", "--cfg", "job", "exp=repeat_tokens"]) == 0
    assert "seed: 3" in capsys.readouterr().out
