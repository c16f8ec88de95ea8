"""Where a model's MLPs compute what goes into their non-linearity, found by the names that architectures use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch.nn import Module, ModuleList

_GATED = (("gate_proj", "up_proj"), ("w1", "w3"), ("gate", "up"))
"""Names of a gate and of the data that it lets through."""
_PLAIN = ("c_fc", "fc1", "fc_in", "dense_h_to_4h", "up_proj", "wi")


@dataclass(frozen=True, eq=False)
class MlpParts:
    """Linear maps of some layers, lowest layer first."""

    gate: tuple[Any, ...]
    """What the non-linearity is applied to."""
    data: tuple[Any, ...]
    """What the gate lets through; empty for MLPs without a gate."""

    def quantities(self) -> Mapping[str, Sequence[Any]]:
        """By name; those that there are."""
        return {"gate": self.gate, "data": self.data} if self.data else {"gate": self.gate}


def find_mlp_parts(backend: Any, first: float, last: float) -> MlpParts | None:
    """Of the layers from `first` to `last`, shares of the depth; None for an architecture whose MLPs have other names,
    or mixes of experts."""
    layers = _layers(backend)
    if not layers:
        return None
    n = len(layers)
    chosen = layers[min(n - 1, int(first * n)) : min(n - 1, int(last * n)) + 1]
    for gate, data in _GATED:
        found = [(_named(layer, gate), _named(layer, data)) for layer in chosen]
        if all(one is not None and two is not None for one, two in found):
            return MlpParts(tuple(one for one, _ in found), tuple(two for _, two in found))
    for name in _PLAIN:
        plain = [_named(layer, name) for layer in chosen]
        if all(one is not None for one in plain):
            return MlpParts(tuple(plain), ())
    return None


def _layers(backend: Any) -> list[Any]:
    """The longest list of equal blocks."""
    lists = [list(module) for module in backend.modules() if isinstance(module, ModuleList)]
    return max(lists, key=len, default=[])


def _named(layer: Any, name: str) -> Module | None:
    """The only part of a layer with this name; None where there are none or several."""
    found = [module for path, module in layer.named_modules() if path.rsplit(".", 1)[-1] == name]
    return found[0] if len(found) == 1 else None
