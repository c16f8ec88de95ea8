"""Every file of conf/pools can be read, and published figures are of the pools they stand beside."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

pytestmark = pytest.mark.unit

FILES = sorted((Path(__file__).parents[3] / "conf" / "pools").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_pool_file_is_readable_and_its_reference_fits(path: Path) -> None:
    content = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(content, dict)
    assert len(content["pools"]) >= 2
    reference = content.get("reference")
    if reference is not None:
        assert reference["pools"] == content["pools"]
        assert {name.split("/")[0] for name in reference["metrics"]} <= set(content["pools"])
        assert all(isinstance(value, float) for value in reference["metrics"].values())
