"""With activations on disk the same tokens are asked about other heads without the model, to the same numbers."""

import numpy as np
import pytest

import harness
from harness.errors import HarnessError
from harness.models import lazy

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("undrawn")]


@pytest.fixture
def run(checkpoints, tmp_path):
    """A run on a random GPT-2 in a results folder of its own; one store for all."""

    def do(name, *more, store=True):
        cache = [f"cache.store={str(store).lower()}", f"cache.folder={tmp_path / 'store'}"]
        return harness.run(
            "repeat_tokens", f"model.name={checkpoints['gpt2']}", "pools.unused=0:16", "pools.common=20:50",
            "exp.seq_len=6", "exp.n_sequences=20", "tracker=none", f"results_dir={tmp_path / name}", *cache, *more,
        )  # fmt: skip

    return do


def test_other_heads_are_asked_for_without_booting_the_model(run, monkeypatch):
    first = run("first", "exp.top_heads=1")

    def boot(*_):
        raise AssertionError("the model was booted")

    monkeypatch.setattr(lazy, "boot", boot)
    # Eight heads in two layers: those of the layer that the first run did not show, too.
    second = run("second", "exp.top_heads=8")
    assert second.metrics == first.metrics
    assert second.arrays["unused/example/pattern"].shape[0] == 8
    with pytest.raises(HarnessError, match="the model was booted"):
        run("third", "seed=1")


def test_the_answer_is_that_of_the_model_alone(run):
    alone, filling, read = run("alone", store=False), run("filling"), run("read")
    assert alone.metrics == filling.metrics == read.metrics
    for name, values in alone.arrays.items():
        np.testing.assert_allclose(read.arrays[name], values, atol=1e-6)
        np.testing.assert_array_equal(read.arrays[name], filling.arrays[name])
