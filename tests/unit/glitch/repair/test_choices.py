"""The light list of names is the roster's, and what a config refuses."""

from dataclasses import replace

import pytest

from experiments.repair.config import RepairConfig
from harness.errors import FieldRejected
from harness.glitch.repair.choices import CONTROLS, METHODS, NOT_STORED, GradientSettings, ProberSettings
from harness.glitch.repair.roster import all_methods

pytestmark = pytest.mark.unit


def test_every_name_has_a_method_and_every_method_a_name() -> None:
    assert tuple(all_methods(GradientSettings(), ProberSettings())) == METHODS
    assert set(CONTROLS) | set(NOT_STORED) <= set(METHODS)


def test_a_folder_needs_a_method_that_leaves_a_checkpoint(tmp_path) -> None:
    for method in (None, *NOT_STORED):
        with pytest.raises(FieldRejected, match="out"):
            RepairConfig(method=method, out=tmp_path)
    assert RepairConfig(method="gradient", out=tmp_path).methods == ("untouched", "gradient")


def test_the_untouched_model_is_always_measured_and_first() -> None:
    assert RepairConfig().methods == METHODS
    assert RepairConfig(method="untouched").methods == ("untouched",)


def test_key_layers_are_in_order() -> None:
    with pytest.raises(FieldRejected, match="first_layer"):
        replace(ProberSettings(), first_layer=0.9, last_layer=0.1)
