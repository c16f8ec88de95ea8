"""A slice in a pools file without quotes: YAML takes 10:20 for 620."""

import pytest

from harness.errors import Rejected
from harness.runs.config.compose import compose_run

pytestmark = pytest.mark.unit


@pytest.fixture
def pools_file(tmp_path, monkeypatch):
    """Writes a pools file into a folder that is searched."""
    folder = tmp_path / "conf" / "pools"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HARNESS_PATH", str(tmp_path))

    def write(text):
        (folder / "mine.yaml").write_text("# @package _global_\npools:\n" + text)
        return "pools=mine"

    return write


def pools(*overrides):
    return dict(compose_run(["exp=repeat_tokens", *overrides]).pools)


def test_it_is_the_slice_that_was_written(pools_file):
    chosen = pools_file("  unused: 10:20\n  common: 1:60\n  other: '20:30'\n  more: [1, 80]\n")
    assert pools(chosen) == {"unused": "10:20", "common": "1:60", "other": "20:30", "more": (1, 80)}


def test_the_command_line_still_wins(pools_file):
    chosen = pools_file("  unused: 10:20\n  common: 30:40\n")
    assert pools(chosen, "pools.unused=50:59") == {"unused": "50:59", "common": "30:40"}


def test_a_number_is_no_pool_and_no_slice(pools_file):
    with pytest.raises(Rejected, match=r"pools\.unused: got 620, allowed: a slice"):
        pools(pools_file("  unused: 620\n"))
    with pytest.raises(Rejected, match=r"pools\.unused: got '10:20', allowed: ids in a list, a slice by itself"):
        pools(pools_file("  unused: [10:20, 30]\n"))
