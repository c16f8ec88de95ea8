import numpy as np
import pytest
from matplotlib.colors import to_rgb

from harness.reporting.figures.families import can_be_told_apart, colour_of, line_style_of, marker_of, pool_title
from harness.reporting.figures.text import setting_text

DOSES = ["natural_never", "natural_1_to_16", "natural_from_4000", "planted_never", "planted_4", "planted_1024"]


def _lightness(colour: str) -> float:
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


def test_a_pool_has_one_colour_whatever_stands_beside_it() -> None:
    halves, auto = ["common_a", "common_b"], ["unused", "common"]
    together = [*halves, *auto, "mine"]
    for names in (halves, auto):
        for name in names:
            assert colour_of(name, names) == colour_of(name, together)
            assert marker_of(name, names) == marker_of(name, together)
    assert len({colour_of(name, together) for name in together}) == len(together)


@pytest.mark.parametrize("beside", [[], ["unused", "common"]])
def test_higher_doses_are_darker_and_kinds_are_dashed_apart(beside: list[str]) -> None:
    names = [*DOSES, *beside]
    for kind in ("natural", "planted"):
        shades = [_lightness(colour_of(name, names)) for name in DOSES if name.startswith(kind)]
        assert shades == sorted(shades, reverse=True) and len(set(shades)) == 3
    assert len({line_style_of(name, names) for name in DOSES}) == 2
    assert len({marker_of(name, names) for name in DOSES}) == 2


def test_more_names_than_colours_can_be_told_apart_if_they_are_doses() -> None:
    assert can_be_told_apart([f"planted_{4**n}" for n in range(12)])
    assert not can_be_told_apart([f"pool_{n}" for n in range(9)])


def test_doses_are_named_as_they_are_read() -> None:
    assert [pool_title(name) for name in DOSES] == [
        "natural never", "natural 1–16", "natural ≥ 4,000", "planted never", "planted 4", "planted 1,024",
    ]  # fmt: skip
    assert pool_title("from_scratch_16") == "from_scratch_16"


def test_a_setting_is_words() -> None:
    assert setting_text("exp.seq_len=50 model.dtype=bfloat16") == "seq len 50, dtype bfloat16"
    assert setting_text("exp.n_seeds=1") == "1 seed"
    assert setting_text("exp.n_shots=3 exp.percentile=1.0") == "3 shots, percentile 1.0"
    assert setting_text("exp.graphs=[2x3,5x5]") == "graphs [2x3,5x5]"
    assert setting_text("") == ""
