"""A real model too small for any of the tasks: said plainly, with exit code 0, and what still makes sense is shown."""

from dataclasses import dataclass

import pytest

from harness.models.config import ModelConfig
from harness.pipeline import execute
from harness.runs import registry
from harness.runs.config.schema import RunConfig, TrackerConfig, TrackerKind

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@dataclass(frozen=True)
class Expected:
    name: str
    note: str
    files: tuple[str, ...]


CASES = [
    Expected("census", "Nothing can be said", ("tables/wordings.csv", "tables/examples.csv")),
    Expected("echo_token", "the window holds 512", ()),
    Expected("undertrained", "magikarp_input_output is left out", ("figures/indicators.png", "tables/verified.csv")),
    Expected("unused_logits", "", ("figures/misreading.png", "figures/running_text.png", "tables/summary.csv")),
]


@pytest.mark.parametrize("expected", CASES, ids=lambda case: case.name)
def test_stories260k(expected, shared_dir, tmp_path):
    run = execute(
        RunConfig(
            exp_name=expected.name,
            exp=registry.load(expected.name).config(),
            model=ModelConfig(name=str(shared_dir / "models" / "stories260k"), device="cpu"),
            pools={"unused": "byte_unused", "common": "early_merges"},
            results_dir=tmp_path,
            tracker=TrackerConfig(kind=TrackerKind.NONE),
        )
    )
    assert run.status == "complete"
    assert run.manifest["exit_code"] == 0
    assert expected.note in " ".join(run.notes)
    for name in expected.files:
        assert (run.folder / name).is_file()
    if expected.name != "unused_logits":
        assert "uninformative" in " ".join(run.notes)
