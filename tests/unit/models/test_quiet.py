import logging

import pytest

from harness.models._quiet import quiet_loading

pytestmark = pytest.mark.unit


def test_tensors_that_are_missing_are_named_in_one_order() -> None:
    """transformers walks over a set: two processes list the same tensors differently."""
    with quiet_loading(show_downloads=False) as report:
        table = "Key | Status |\nwte.weight | MISSING |\nh.1.bias | MISMATCH |\nh.0.bias | MISSING |\n"
        logging.getLogger("transformers.modeling_utils").warning(table)
    assert report.missing == ["h.0.bias", "wte.weight"]
    assert report.mismatched == ["h.1.bias"]
