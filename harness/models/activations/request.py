"""What an experiment asks of a model's insides. Imports torch."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from harness.errors import Rejected, nearest

Reducer = Callable[[Tensor, str], Tensor]
"""Called with an activation and its hook name while the model runs; returns what is kept of it."""


@dataclass(frozen=True)
class ActivationRequest:
    """Activations to look at, and what to keep of each."""

    hook: str
    """A hook name, or a pattern over them: `*` stands for anything within one dotted part, `**` for any parts."""
    reduce: Reducer
    label: str = ""
    """Tells requests for the same hook apart: results are keyed `<hook name>#<label>`, or `<hook name>` without one."""

    def key(self, name: str) -> str:
        """Under which key the result for one hook name is found."""
        return f"{name}#{self.label}" if self.label else name


def matching_names(hook: str, names: Sequence[str]) -> tuple[str, ...]:
    """The hook names a pattern stands for, in the order of `names`.

    Raises `Rejected`, with near names, where there are none.
    """
    pattern = _compiled(hook)
    found = tuple(name for name in names if pattern.fullmatch(name))
    if found:
        return found
    raise Rejected(f"hook: got {hook!r}, which is no hook of this model; {_hint(hook, names)}")


def _compiled(hook: str) -> re.Pattern[str]:
    wild = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", hook)))


def _hint(hook: str, names: Iterable[str]) -> str:
    # Compared with one layer's names only: otherwise the nearest are the same hook in every layer.
    shapes = sorted({re.sub(r"\.\d+(?=\.|$)", ".*", name) for name in names})
    near = nearest(re.sub(r"\.\d+(?=\.|$)", ".*", hook), shapes)
    return f"near names: {near}" if near else f"there are {len(shapes)}, such as {', '.join(map(repr, shapes[:3]))}"
