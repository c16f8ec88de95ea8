import json

import numpy as np
import pytest

from harness.models.answers.magikarp import (
    VerificationClass,
    classify_verification,
    is_candidate,
    soft_threshold,
    superstrings,
)
from harness.models.config import ModelConfig
from harness.models.identity import ModelIdentity, ModelSource, resolve_identity

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("max_prob", "encodeable", "expected"),
    [
        (0.95, True, "strong_rejected"),
        (0.95, False, "strong_rejected"),
        (0.5, False, "weak_rejected"),
        (0.05, False, "verification_encoding_failed"),
        (0.05, True, "weak_verified"),
        (0.001, True, "weak_verified"),
        (0.0005, True, "strong_verified"),
    ],
)
def test_classes_in_the_published_order(max_prob, encodeable, expected):
    assert classify_verification(max_prob, encodeable) is VerificationClass(expected)


def test_candidates_are_the_lowest_percentile_of_ok_tokens():
    indicator = np.arange(101, dtype=float)
    is_ok = np.ones(101, dtype=bool)
    is_ok[1] = False  # low, but unreachable
    is_special = np.zeros(101, dtype=bool)
    is_special[1] = False
    candidate, threshold = is_candidate(indicator, is_ok, is_special, 2.0)
    assert threshold == pytest.approx(np.percentile(indicator[is_ok], 2.0))
    assert np.flatnonzero(candidate).tolist() == [0, 2]
    is_special[1] = True
    candidate, _ = is_candidate(indicator, is_ok, is_special, 2.0)
    assert np.flatnonzero(candidate).tolist() == [0, 1, 2]


def test_soft_threshold_stops_where_a_third_of_the_window_is_not_verified():
    verified = np.array([True] * 40 + [False] * 40)
    place = int(soft_threshold(np.arange(80, dtype=float), verified))
    share = verified[max(0, place - 12) : place + 13].mean()
    assert share >= 2 / 3 > verified[place + 1 - 12 : place + 1 + 13].mean()
    assert soft_threshold(np.arange(5.0), np.zeros(5, dtype=bool)) is None
    assert soft_threshold(np.zeros(0), np.zeros(0, dtype=bool)) is None


def test_superstrings_have_larger_ids():
    assert superstrings("ab", 1, ["xab", "ab", "cab", "b", "abab"]) == [2, 4]


def shaped_like(folder, shared_dir, n_layer, n_embd):
    """A folder with the config.json and the vocabulary of a GPT-2 size: what it is recognised by."""
    folder.mkdir()
    for path in (shared_dir / "tokenizers" / "gpt2").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = {"model_type": "gpt2", "n_layer": n_layer, "n_embd": n_embd, "vocab_size": 50257}
    (folder / "config.json").write_text(json.dumps(config))
    return ModelIdentity(str(folder), ModelSource.LOCAL, folder, None, "0" * 64, folder.name)


def test_the_published_table_is_the_oracle(shared_dir, tmp_path):
    from experiments.undertrained.metrics import published_table

    sizes = {"gpt2": (12, 768), "gpt2-medium": (24, 1024), "gpt2-large": (36, 1280), "gpt2-xl": (48, 1600)}
    oracle = json.loads((shared_dir / "oracles/magikarp_gpt2.json").read_text())
    for name, model in oracle["models"].items():
        found = published_table(shaped_like(tmp_path / name, shared_dir, *sizes[name]))
        assert found["verified_count"] == model["verified_count"]
        assert found["verification_threshold"] == model["verification_threshold"]
        assert set(found["verified"]) == set(model["verified"])
    assert published_table(resolve_identity(ModelConfig())) is None
