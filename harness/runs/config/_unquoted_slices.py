"""`unused: 10:20` in a pools file: YAML reads a number to base 60 (620) where a slice is meant."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from harness.errors import Rejected

_INTEGER = "tag:yaml.org,2002:int"
_DEFAULT = "default"


def unquoted_slices(overrides: Sequence[str], folders: Iterable[Path]) -> list[str]:
    """Overrides that put the slices back which the chosen pools files say without quotes; none for a pool that the
    command line sets itself.

    Raises `Rejected` for such a number within a list of ids, where it can be no slice.
    """
    values = dict(text.lstrip("+").split("=", 1) for text in overrides if "=" in text)
    chosen = values.get("pools", _DEFAULT).split(",")
    if len(chosen) > 1:
        # A sweep: each of its jobs is composed by itself.
        return []
    found = []
    for folder in folders:
        path = folder / "conf" / "pools" / f"{chosen[0].removesuffix('.yaml')}.yaml"
        if not path.is_file():
            continue
        for name, node in _pools(path):
            if isinstance(node, yaml.SequenceNode):
                _refuse_slices_in_a_list(path, name, node)
            elif _is_base_60(node) and f"pools.{name}" not in values:
                found.append(f"++pools.{name}='{node.value}'")
    return found


def _pools(path: Path) -> Iterator[tuple[str, yaml.Node]]:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        # Whoever reads the file for its values says what is wrong with it.
        return
    entries = root.value if isinstance(root, yaml.MappingNode) else []
    nested = [node for key, node in entries if key.value == "pools" and isinstance(node, yaml.MappingNode)]
    for key, node in nested[0].value if nested else []:
        yield str(key.value), node


def _is_base_60(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _INTEGER and ":" in node.value


def _refuse_slices_in_a_list(path: Path, name: str, node: yaml.SequenceNode) -> None:
    for item in node.value:
        if _is_base_60(item):
            raise Rejected.key(f"pools.{name}", item.value, f"ids in a list, a slice by itself ({path})")
