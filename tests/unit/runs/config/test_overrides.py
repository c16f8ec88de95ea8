"""What a person types: understood without plus signs, refused in one line."""

import pytest

from harness.errors import Rejected
from harness.runs.config.overrides import is_sweep, normalise, refuse_stray_sweeps

pytestmark = pytest.mark.unit


def test_typed_keys_need_no_plus_and_groups_and_pools_stay():
    given = ["exp=repeat_tokens", "exp.seq_len=50", "seed=3", "pools.unused=130:259", "+pools.rare=1:2", "model=gpt2"]
    assert normalise(given) == [
        "exp=repeat_tokens",
        "++exp.seq_len=50",
        "++seed=3",
        "pools.unused=130:259",
        "+pools.rare=1:2",
        "model=gpt2",
    ]


def test_hydra_keys_and_launchers_pass_through():
    assert normalise(["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]) == [
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sed=1", ["sed", "did you mean 'seed'"]),
        ("seed", ["key=value"]),
        ("model.name=a=b", ["cannot be parsed", "quote"]),
        ("exp.x=[1,2", ["cannot be parsed"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(text, words):
    with pytest.raises(Rejected) as caught:
        normalise([text])
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words)


def test_a_sweep_is_recognised_but_a_list_and_a_slice_are_none():
    assert is_sweep("++seed=0,1")
    assert is_sweep("pools.unused=130:200,200:259")
    assert not is_sweep("pools.unused=[5,7,9]")
    assert not is_sweep("pools.unused=177:188")
    with pytest.raises(Rejected, match="add -m"):
        refuse_stray_sweeps(["++seed=0,1"])
