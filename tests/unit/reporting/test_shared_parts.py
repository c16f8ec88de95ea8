"""What several experiments share when they are shown: words, the order of pools, columns, lengths of error bars."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml

import experiments
from harness.glitch.indicators import Indicator
from harness.reporting.figures.layout import error_lengths
from harness.reporting.figures.tables import interval_columns
from harness.reporting.pools import pools_shown
from harness.reporting.words import CATEGORIES, INDICATORS, spaced
from harness.runs.results.stored_run import StoredRun
from harness.tokens.vocabulary_audit import Category

pytestmark = pytest.mark.unit

(HERE,) = experiments.__path__
FOLDERS = sorted(path.parent.name for path in Path(HERE).glob("*/config.py"))


@pytest.mark.parametrize("name", FOLDERS)
def test_an_experiment_says_its_headline_in_display_and_keeps_tables_out_of_figures(name: str) -> None:
    display = import_module(f"experiments.{name}.display")
    assert display.DISPLAY.headline is display.headline
    assert display.headline.__module__ == display.__name__
    for item in display.DISPLAY.figures:
        assert item.draw.__module__ == f"experiments.{name}.figures"
    for item in display.DISPLAY.tables:
        assert item.build.__module__ == f"experiments.{name}.tables"


def test_every_kind_and_every_indicator_has_words() -> None:
    assert set(CATEGORIES) == {category.value for category in Category}
    assert set(INDICATORS) == {indicator.value for indicator in Indicator}


def test_a_missing_name_has_no_words() -> None:
    assert [spaced(name) for name in ("random_characters", None, float("nan"))] == ["random characters", "", ""]


def test_pools_stand_in_the_order_of_the_config_and_added_ones_come_last(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "details.json").write_text('{"pools": {"added": {}, "common": {}, "unused": {}}}')
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"pools": {"unused": "1:2", "absent": "5:6", "common": "3:4"}}, sort_keys=False)
    )
    assert pools_shown(StoredRun(tmp_path)) == ["unused", "common", "added"]


def test_an_interval_fills_three_columns() -> None:
    assert interval_columns("share", (0.5, 0.4, None)) == {"share": 0.5, "share ci_low": 0.4, "share ci_high": None}


def test_an_error_bar_without_an_interval_has_no_length_and_none_is_negative() -> None:
    assert error_lengths([(0.5, 0.25, 1.0), (0.5, None, None), (1.0, 1.0 + 1e-16, 1.0 - 1e-16)]) == (
        [0.25, 0.0, 0.0],
        [0.5, 0.0, 0.0],
    )
