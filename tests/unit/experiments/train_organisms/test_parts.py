"""Arms that differ in one thing, and the dose at which a token has half of what well-shown ones have."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.train_organisms.arms import Arm
from experiments.train_organisms.config import TrainOrganismsConfig
from experiments.train_organisms.half_dose import N_RESAMPLES, half_dose, resampled_means
from experiments.train_organisms.metrics import arm_metrics, is_comparable
from harness.errors import Rejected
from harness.glitch.indicators import Indicator
from harness.runs.config.typed import to_dataclass

pytestmark = pytest.mark.unit

DIFFERS = {
    Arm.REFERENCE: set(),
    Arm.NO_EMBEDDING_DECAY: {"decay_embeddings"},
    Arm.COUPLED_ADAM: {"optimiser", "embedding_learning_rate"},
    Arm.SGD_EMBEDDINGS: {"optimiser", "embedding_learning_rate"},
    Arm.UNTIED: {"tied"},
    Arm.WIDE_INIT: {"embedding_std"},
    Arm.RESTARTS: {"restarts"},
    Arm.SHOWN_SOFTMAX: {"softmax_over_shown"},
}


@pytest.mark.parametrize("arm", Arm)
def test_an_arm_differs_from_the_reference_in_one_thing(arm: Arm) -> None:
    config = TrainOrganismsConfig()
    reference, changed = config.recipe(Arm.REFERENCE, 3), config.recipe(arm, 3)
    different = {one.name for one in fields(changed) if getattr(reference, one.name) != getattr(changed, one.name)}
    assert different == DIFFERS[arm]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": ["untied"]}, "arms: got"),
        ({"arms": ["reference", "reference"]}, "arms: got"),
        ({"arms": ["nonsense"]}, "arms"),
        ({"doses": [1, 2]}, "doses: got"),
        ({"early_steps": 10**6}, "early_steps: got"),
        ({"n_seeds": 0}, "n_seeds: got 0, allowed: 1 or more"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(changes, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        to_dataclass(TrainOrganismsConfig, changes)


def test_half_dose_by_hand() -> None:
    doses = (0, 1, 3, 7)
    # On the scale log2(1 + dose) these stand at 0, 1, 2, 3.
    assert half_dose(doses, np.array([0.0, 0.2, 0.6, 1.0]), np.array(0.4)) == pytest.approx(2**1.5 - 1)
    assert half_dose(doses, np.array([0.5, 0.6, 0.7, 1.0]), np.array(0.4)) == 0
    assert half_dose(doses, np.array([0.0, 0.1, 0.2, 0.3]), np.array(0.4)) == np.inf
    both = half_dose(doses, np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(both, [2**2.5 - 1, 2**0.5 - 1])


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(0.01, 1))
def test_half_dose_lies_between_the_doses_around_the_first_crossing(values: list[float], half: float) -> None:
    doses, means = (0, 2, 8, 32), np.array(values)
    found = float(half_dose(doses, means, np.array(half)))
    reached = [dose for dose, value in zip(doses, values, strict=True) if value >= half]
    if not reached:
        assert found == np.inf
    else:
        below = [dose for dose in doses if dose < reached[0]]
        assert (below[-1] if below else 0) - 1e-6 <= found <= reached[0] + 1e-6


def test_resampled_means_spread_over_trainings_as_well_as_tokens() -> None:
    alike = resampled_means(np.tile([0.0, 1.0], (3, 10)).astype(np.float64), 0)
    apart = resampled_means(np.repeat([[0.0], [0.5], [1.0]], 20, axis=1), 0)
    assert alike.shape == apart.shape == (N_RESAMPLES,)
    assert apart.std() > 3 * alike.std()
    # Three trainings of 0, 0.5 and 1: the mean's variance is theirs over three.
    assert apart.var() == pytest.approx(np.var([0, 0.5, 1]) / 3, rel=0.1)


def trained(copied_by_dose: dict[int, float], known: float, held_out: float) -> dict[str, np.ndarray]:
    """Two trainings in which every token of a dose is copied as often."""
    dose = np.tile(np.repeat(list(copied_by_dose), 3), (2, 1))
    copied = np.vectorize(copied_by_dose.get)(dose).astype(np.float32)
    found = {"dose": dose}
    for name in ("copied", "copy_effect", "logit_diff"):
        found |= {name: copied, f"well_shown/{name}": np.full((2, 4), known, dtype=np.float32)}
    found["loss"] = np.array([[2.0, held_out]] * 2, dtype=np.float32)
    found["cosine"] = np.array([[[0.9, 0.2], [0.8, 0.1]]] * 2, dtype=np.float32)
    found["norm"] = np.array([[[1.0, 2.0], [3.0, 4.0]]] * 2, dtype=np.float32)
    found["auc"] = np.full((2, len(Indicator)), np.nan, dtype=np.float32)
    found["auc"][:, 1] = 0.75
    return found


def test_numbers_of_an_arm_by_hand() -> None:
    reference = trained({0: 0.0, 3: 1.0}, 1.0, 2.0)
    found = arm_metrics(trained({0: 0.0, 3: 0.8}, 1.0, 2.5), reference, (0, 3), 0)
    assert found["dose_3/copied"] == pytest.approx(0.8)
    # From 0 to 0.8 over two steps of the scale, half of 1 is reached after 1.25 of them.
    assert found["half_dose/copied"] == pytest.approx(2**1.25 - 1, rel=1e-5)
    assert found["cosine/embedding/never_shown"] == pytest.approx(0.9)
    assert found["cosine/unembedding/well_shown"] == pytest.approx(0.1)
    assert found["norm_ratio/embedding"] == pytest.approx(0.5)
    assert found["auc/cosine"] == pytest.approx(0.75)
    assert "auc/input_norm" not in found
    assert found["tokens_per_group"] == 3
    beyond = arm_metrics(trained({0: 0.0, 3: 0.1}, 1.0, 2.0), reference, (0, 3), 0)
    assert beyond["half_dose/copied"] is None
    assert "half_dose/copied" not in arm_metrics(trained({0: 0.0, 3: 0.0}, 0.0, 2.0), reference, (0, 3), 0)


def test_an_arm_counts_where_it_copies_or_predicts_text_as_the_reference() -> None:
    reference = trained({0: 0.0, 3: 1.0}, 1.0, 2.0)
    assert is_comparable(trained({0: 0.0, 3: 0.0}, 0.95, 5.0), reference)
    assert is_comparable(trained({0: 0.0, 3: 0.0}, 0.1, 2.04), reference)
    assert not is_comparable(trained({0: 0.0, 3: 0.0}, 0.1, 2.2), reference)
