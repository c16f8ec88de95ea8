"""Whose writing makes a token expected: direct logit attribution of the identity effect to heads and MLPs.

The residual stream is a sum of what every part writes, and with the final norm's scale frozen at the run's own a logit
is linear in it: parts then add up to the identity effect (Elhage et al. 2021, "A Mathematical Framework for Transformer
Circuits"; direct logit attribution). Nothing is taken for granted: whether parts add up is tried out on each model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from experiments.where_it_breaks.passes import FINAL, Sequences, run_pass
from harness.errors import RunFailed
from harness.measure.heads import Head
from harness.models.loaded import LoadedModel

REST = "rest"
"""The embedding (with positions), and what heads of a layer write together: biases."""
_PROBE = 100.0
"""Long enough for a norm's epsilon not to show."""


@dataclass(frozen=True, eq=False)
class FinalNorm:
    """The final norm without its scale: what it takes off, its gain and its bias."""

    gain: Float[Tensor, " d_model"]
    bias: Float[Tensor, " d_model"]
    is_centred: bool

    @classmethod
    def of(cls, model: LoadedModel, last: str, sequences: Sequences) -> "FinalNorm":
        """Read off from what it makes of nothing, of a constant and of alternating signs. `last`: hook of its input."""
        d_model = model.unembedding().shape[1]
        signs = torch.ones(d_model)
        signs[::2] = -1
        probes = _PROBE * torch.stack([torch.zeros(d_model), torch.ones(d_model), signs])

        def put(stream: Tensor) -> Tensor:
            found = stream.clone()
            found[:1, : len(probes)] = probes.to(found)
            return found

        states: list[Tensor] = []
        reader = {FINAL: lambda state: states.append(state[0, : len(probes)].float().clone())}
        model.forward(sequences.tokens[:1], reader, {last: put})
        bias, constant, changed = states[0]
        is_centred = bool((constant - bias).abs().max() < 0.5 * (changed - bias).abs().max())
        found = cls(torch.ones_like(bias), bias, is_centred)
        known = found.unscaled(probes[2].to(bias))
        return cls((changed - bias) / (known / known.square().mean().sqrt()), bias, is_centred)

    def unscaled(self, stream: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """What it makes of a stream, up to the scale and the bias."""
        return self.gain * (stream - stream.mean(dim=-1, keepdim=True) if self.is_centred else stream)

    def read_by(self, rows: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """The directions of the stream that rows of the unembedding read, up to the scale."""
        found = self.gain * rows
        return found - found.mean(dim=-1, keepdim=True) if self.is_centred else found

    def scale(
        self, stream: Float[Tensor, "*batch d_model"], state: Float[Tensor, "*batch d_model"]
    ) -> Float[Tensor, "*batch 1"]:
        """What it divides a stream by to make a state of it."""
        whole = self.unscaled(stream)
        return whole.square().sum(-1, keepdim=True) / ((state - self.bias) * whole).sum(-1, keepdim=True)

    def makes(
        self, stream: Float[Tensor, "*batch d_model"], state: Float[Tensor, "*batch d_model"], tolerance: float
    ) -> bool:
        """Whether this is how the model makes its states, to a share of the largest."""
        found = self.unscaled(stream) / self.scale(stream, state) + self.bias
        return bool((found - state).abs().max() <= tolerance * state.abs().max())


@dataclass(frozen=True)
class Parts:
    """Hooks of what adds up to the residual stream."""

    first: str
    """The stream before the first layer."""
    last: str
    outputs: Mapping[int, str]
    """Layer -> outputs of its heads, before they write."""
    written: Mapping[int, str]
    """Layer -> what its heads write together, with their bias."""
    mlps: Mapping[int, str]
    heads: tuple[Head, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all parts, in the order of the rows of `attribute`."""
        return (*(head.label for head in self.heads), *(f"mlp{layer}" for layer in self.mlps), REST)


def find_parts(
    model: LoadedModel, outputs: Mapping[int, str], residual: tuple[str, ...], sequences: Sequences, tolerance: float
) -> Parts | None:
    """Parts that add up to the stream after the last layer, to a share of its largest entry; None where they don't."""
    names = set(model.hook_names)
    written = {layer: f"blocks.{layer}.hook_attn_out" for layer in outputs}
    mlps = {layer: name for layer in range(model.n_layers) if (name := f"blocks.{layer}.hook_mlp_out") in names}
    if not outputs or not residual or not names.issuperset(written.values()):
        return None
    first, last = residual[0], residual[-1]
    try:
        kept = run_pass(model, sequences, {}, [first, last, *outputs.values(), *written.values(), *mlps.values()]).kept
    except RunFailed:
        return None
    total = kept[first].float()
    heads = []
    for layer, name in outputs.items():
        weights, z, together = model.head_output_weights(layer), kept[name].float(), kept[written[layer]].float()
        if weights is None or weights.shape[:2] != z.shape[2:] or weights.shape[2] != together.shape[-1]:
            return None
        bias = together - _write(z, weights)
        # What heads write beside their outputs is the same everywhere, or it is more than a bias.
        if (bias - bias[:1, :1]).abs().max() > tolerance * together.abs().max():
            return None
        total = total + together.to(total.device)
        heads += [Head(layer, head) for head in range(z.shape[2])]
    for name in mlps.values():
        total = total + kept[name].float().to(total.device)
    stream = kept[last].float().to(total.device)
    if total.shape != stream.shape or (total - stream).abs().max() > tolerance * stream.abs().max():
        return None
    return Parts(first, last, dict(outputs), written, mlps, tuple(heads))


def _write(
    outputs: Float[Tensor, "row pos head d_head"], weights: Float[Tensor, "head d_head d_model"]
) -> Float[Tensor, "row pos d_model"]:
    return torch.einsum("rphd,hdm->rpm", outputs, weights.to(outputs))


def attribute(
    model: LoadedModel, parts: Parts, norm: FinalNorm, sequences: Sequences
) -> Float[np.ndarray, "part half place"]:
    """The identity effect by what each part writes where the token is predicted, in the order of `parts.names`.

    Its logit's height above its foils after its own first half, minus that after the other one (logits); each run's
    final norm divides by what it divided by.
    """
    unembedding = model.unembedding()
    targets, foils = (unembedding[ids.to(unembedding.device)].float() for ids in (sequences.targets, sequences.foils))
    read_by = norm.read_by(targets - foils.mean(dim=1, keepdim=True).to(targets)).repeat(2, 1, 1)
    places, found = list(sequences.reads), {}

    def reader(name: str, compute: Callable[[Tensor], Tensor]) -> Callable[[Tensor], None]:
        def look(activation: Tensor) -> None:
            found[name] = compute(activation[:, places].float()).to(read_by.device)

        return look

    def along(activation: Float[Tensor, "row place d_model"]) -> Float[Tensor, "row place"]:
        return (activation * read_by.to(activation.device)).sum(-1)

    def by_head(layer: int) -> Callable[[Tensor], Tensor]:
        weights = model.head_output_weights(layer)
        if weights is None:
            raise RunFailed(f"layer {layer} no longer tells what its heads write")

        def compute(outputs: Float[Tensor, "row place head d_head"]) -> Float[Tensor, "row place head"]:
            through = torch.einsum("rpm,hdm->rphd", read_by.to(outputs), weights.to(outputs))
            return (outputs * through).sum(-1)

        return compute

    whole = (parts.first, *parts.written.values(), *parts.mlps.values())
    readers = {name: reader(name, along) for name in whole}
    readers |= {name: reader(name, by_head(layer)) for layer, name in parts.outputs.items()}
    readers |= {name: reader(name, lambda activation: activation) for name in (parts.last, FINAL)}
    model.forward(sequences.tokens, readers)
    heads = torch.cat([found[name] for name in parts.outputs.values()], dim=-1)
    mlps = [found[name][..., None] for name in parts.mlps.values()]
    rest = sum((found[name] for name in parts.written.values()), found[parts.first]) - heads.sum(-1)
    scaled = torch.cat([heads, *mlps, rest[..., None]], dim=-1) / norm.scale(found[parts.last], found[FINAL])
    n = len(sequences.targets)
    return (scaled[:n] - scaled[n:]).permute(2, 0, 1).cpu().numpy()
