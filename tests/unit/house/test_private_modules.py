"""A leading underscore is kept: such a module or name is used inside its own package and nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
pytestmark = pytest.mark.unit


def imports(path: Path, root: Path) -> Iterator[tuple[str, str, str]]:
    """Every `from module import name` and `import module` of a file: (importing package, module, name)."""
    relative = path.relative_to(root).with_suffix("")
    package = ".".join(relative.parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((package, node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((package, alias.name, "") for alias in node.names)


def intrusions(root: Path) -> list[str]:
    """Imports that reach for something private of another package, as `package: module.name`."""
    found = []
    for room in ("harness", "experiments"):
        for path in sorted((root / room).rglob("*.py")):
            for package, module, name in imports(path, root):
                parts = [*module.split("."), *([name] if name else [])]
                private = [number for number, part in enumerate(parts) if part.startswith("_") and part != "__init__"]
                if parts[0] not in ("harness", "experiments") or not private:
                    continue
                owner = ".".join(parts[: private[0]])
                # A private name is its module's own, a private module its package's.
                inside = package == owner or package.startswith(owner + ".")
                if not inside and not name.startswith("__"):
                    found.append(f"{package}: {'.'.join(parts)}")
    return found


def test_nobody_reaches_into_another_package() -> None:
    assert intrusions(REPOSITORY) == []


def test_a_planted_intrusion_is_seen(tmp_path: Path) -> None:
    (tmp_path / "harness/models").mkdir(parents=True)
    (tmp_path / "experiments/toy").mkdir(parents=True)
    (tmp_path / "harness/models/lazy.py").write_text("from harness.models._device import resolve_device\n")
    (tmp_path / "experiments/toy/measure.py").write_text(
        "import harness.models._hub\nfrom harness.models import _device\nfrom harness.models.config import _hidden\n"
        "from harness.models.config import ModelConfig\nfrom os import _exit\n"
    )
    assert intrusions(tmp_path) == [
        "experiments.toy: harness.models._hub",
        "experiments.toy: harness.models._device",
        "experiments.toy: harness.models.config._hidden",
    ]
