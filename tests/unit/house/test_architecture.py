"""The map in docs/architecture.md shows the house as it is."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def _packages() -> list[str]:
    inits = [*(ROOT / "harness").rglob("__init__.py"), *(ROOT / "experiments").rglob("__init__.py")]
    folders = (path.parent.relative_to(ROOT) for path in inits)
    # The folders of experiments look all alike and stand on one line.
    return [folder.as_posix() for folder in folders if len(folder.parts) > 1 and folder.parent != Path("experiments")]


@pytest.mark.parametrize("package", _packages())
def test_every_package_is_on_the_page(package: str) -> None:
    name = package.split("/")[-1]
    assert f" {name}/" in PAGE or f"/{name}/" in PAGE


@pytest.mark.parametrize("package", _packages())
def test_every_package_says_what_it_is_for(package: str) -> None:
    assert (ROOT / package / "__init__.py").read_text(encoding="utf-8").startswith('"""')


def test_every_path_on_the_page_is_there() -> None:
    words = {word.strip("`|,().;:") for word in PAGE.split()}
    paths = {word for word in words if word.startswith("harness/") and "." in word}
    assert paths
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_experiments_have_one_anatomy() -> None:
    folders = [path.parent for path in (ROOT / "experiments").glob("*/__init__.py")]
    lacking = {
        f"{folder.name}/{name}" for folder in folders for name in ("config.py", "measure.py", "display.py")
        if not (folder / name).is_file()
    }  # fmt: skip
    assert folders and not lacking
