"""A broken wall between rooms turns the lint red: planted in a copy of the code, each is named by `lint-imports`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and the contracts, without data."""
    root = tmp_path_factory.mktemp("walls")
    for package in ("harness", "experiments"):
        shutil.copytree(
            REPOSITORY / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "model", "*.txt.gz")
        )
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    return root


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("harness/measure/exposures.py", "from harness.runs import registry", "Arrows between rooms run downwards"),
        ("harness/measure/heads.py", "import wandb", "One door to Weights & Biases"),
        ("experiments/census/metrics.py", "import experiments.undertrained.metrics", "do not import one another"),
    ],
)
def test_a_planted_import_is_refused_by_name(copy: Path, file: str, line: str, broken: str) -> None:
    path = copy / file
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        done = lint(copy)
    finally:
        path.unlink() if before is None else path.write_text(before, encoding="utf-8")
    assert done.returncode != 0
    assert any(broken in text and " BROKEN" in text for text in done.stdout.splitlines()), done.stdout
    assert "1 broken" in done.stdout
