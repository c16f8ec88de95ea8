"""What is measured on the halves of one draw: scores of heads, their mean outputs, all interventions, mixed halves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.where_it_breaks.abilities import Abilities
from experiments.where_it_breaks.attribution import Parts, attribute
from experiments.where_it_breaks.bench import Bench, Chosen
from experiments.where_it_breaks.choosing import Plan, Studied, replaced
from experiments.where_it_breaks.interventions import (
    ABLATIONS,
    DECODED,
    INTERVENTIONS,
    PATH_ABLATION,
    Half,
    Heads,
    Intervention,
    Rows,
    Whose,
    stream,
)
from experiments.where_it_breaks.passes import EMBED, Pass, Sequences, read, run_pass
from harness.glitch.copying.draws import Pairs
from harness.measure.heads import Head, HeadScore, attention_by_offset, stack_layers, top_heads
from harness.models.activations.ablation import MeanOutput
from harness.models.loaded import LoadedModel

Arrays = dict[str, np.ndarray]

CELLS = tuple((cue, copied) for cue in Whose for copied in Whose)
"""Of mixed halves: whose token announces, and whose is announced."""


@dataclass(frozen=True)
class Names:
    """What is measured of each token, in the order of the arrays."""

    interventions: tuple[Intervention, ...]
    streams: tuple[Intervention, ...]
    layers: tuple[int, ...]
    """Of `streams`: before these layers; the number of layers stands for after the last."""
    ablations: tuple[str, ...]
    chosen: Chosen = field(default_factory=Chosen)
    parts: Parts | None = None
    """What the identity effect is attributed to; None where it can't be."""

    @classmethod
    def of(cls, bench: Bench, n_points: int) -> "Names":
        """All that this model allows."""
        n = len(bench.abilities.residual)
        layers = tuple(np.unique(np.linspace(0, n - 1, min(n_points, n)).round().astype(int)).tolist()) if n else ()
        has_heads = bool(bench.abilities.patterns and bench.abilities.outputs)
        return cls(
            tuple(one for one in INTERVENTIONS if bench.applies(one)),
            tuple(stream(layer, half) for half in Half for layer in layers),
            layers,
            tuple(name for name in ABLATIONS if name != PATH_ABLATION or bench.has_path) if has_heads else (),
            bench.chosen,
            bench.abilities.parts if bench.abilities.attributes else None,
        )

    @property
    def decoded_changes(self) -> tuple[Intervention, ...]:
        """Whose final states are decoded, beside the plain ones; what they change of the output has no part in it."""
        return tuple(one for one in self.interventions if one.name in DECODED)

    @property
    def decoded(self) -> tuple[str, ...]:
        """Names of the rows of `state`."""
        return (Whose.OWN.value, Whose.PARTNER.value, *(one.name for one in self.decoded_changes))

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows of `identity`."""
        changed = (one.name for one in (*self.interventions, *self.streams))
        return (Whose.OWN.value, Whose.PARTNER.value, *changed, *self.ablations)


def some_pairs(pairs: Pairs, some: slice) -> Pairs:
    """Some of the pairs, whole ones."""
    rows = slice(2 * some.start, 2 * some.stop)
    return Pairs(pairs.halves[rows], pairs.places, pairs.asked[rows])


def sequences_of(plan: Plan, studied: Studied, pairs: Pairs, ids: Int[np.ndarray, " token"]) -> Sequences:
    """The sequences in which `ids` stand for the tokens under study."""
    halves = replaced(pairs.halves, studied.ids, ids)
    return Sequences.of(Pairs(halves, pairs.places, pairs.asked), ids, ids is studied.ids, plan.bos_id)


def score_heads(model: LoadedModel, abilities: Abilities, sequences: Sequences, pairs: Pairs) -> Arrays:
    """Sums over sequences that repeat a half: attention from the second half to the token before (previous), and from
    each cue to what followed it (induction); [layer head], NaN for heads that a layer does not have."""
    n, first_query = len(sequences.targets), sequences.first + sequences.seq_len
    counted = np.zeros((n, sequences.seq_len), dtype=bool)
    counted[:, pairs.places - 1] = pairs.asked
    rows = torch.from_numpy(np.flatnonzero(counted.any(axis=1)))
    mask = torch.from_numpy(counted)[rows]
    found: dict[str, dict[str, np.ndarray]] = {}

    def reader(name: str) -> Callable[[Tensor], None]:
        def look(pattern: Tensor) -> None:
            own = pattern[rows.to(pattern.device)].contiguous()
            previous = attention_by_offset(own, sequences.seq_len, first_query)
            induction = attention_by_offset(own, sequences.seq_len, first_query, mask.to(own.device))
            found[name] = {
                "previous": previous[..., HeadScore.PREV_TOKEN.offset(sequences.seq_len)].sum(0).cpu().numpy(),
                "induction": induction[..., HeadScore.INDUCTION.offset(sequences.seq_len)].sum(0).cpu().numpy(),
            }

        return look

    model.forward(sequences.tokens[:n], {name: reader(name) for name in abilities.patterns.values()})
    layers = list(abilities.patterns.values())
    stacked = {
        kind: stack_layers([found[name][kind] for name in layers], head_axis=0).astype(np.float64)
        for kind in ("previous", "induction")
    }
    return {**stacked, "rows": np.array([float(len(rows))])}


def choose_heads(scores: Mapping[str, Float[np.ndarray, "layer head"]], abilities: Abilities, n: int) -> Chosen:
    """Those with the highest scores."""
    layers = list(abilities.patterns)

    def best(values: Float[np.ndarray, "layer head"]) -> tuple[Head, ...]:
        known = int(np.isfinite(values).sum())
        return tuple(top_heads(np.nan_to_num(values, nan=-np.inf), min(n, known), layers))

    return Chosen(best(scores["previous"]), best(scores["induction"]))


def mean_outputs(bench: Bench, sequences: Sequences) -> Arrays:
    """Mean output of every head of the layers that hold a chosen one, by position; `rows` sequences."""
    layers = chosen_layers(bench.chosen)
    found = run_pass(bench.model, sequences, {}, [bench.abilities.outputs[layer] for layer in layers])
    arrays: Arrays = {"rows": np.array([float(len(sequences.tokens))])}
    for layer in layers:
        mean = MeanOutput()
        mean.add(found.kept[bench.abilities.outputs[layer]])
        arrays[f"layer_{layer}"] = mean.mean().float().cpu().numpy()
    return arrays


def chosen_layers(chosen: Chosen) -> list[int]:
    """Layers with a chosen head."""
    return sorted({head.layer for head in chosen.all})


def intervene(
    bench: Bench, plan: Plan, studied: Studied, names: Names, means: Mapping[int, Tensor], pairs: Pairs
) -> Arrays:
    """Everything about some pairs: [name half place] for `identity`, `copy_effect` and `copied`, [intervention half
    place] for `control`, [whose half place] for `logprob` and each kind of attention, [(whose part) half place] for
    `attribution`."""
    own, partner, other = (
        bench.base(sequences_of(plan, studied, pairs, ids), layers)
        for ids, layers in (
            (studied.ids, names.layers),
            (studied.partners, names.layers),
            (studied.others, ()),
        )
    )
    plain = [read(whole.logits, whole.sequences) for whole in (own, partner)]
    changed = [bench.read_changed(one, own, partner) for one in (*names.interventions, *names.streams)]
    for name in names.ablations:
        if name == PATH_ABLATION:
            changed.append(bench.read_without_path(partner))
            continue
        heads, how = name.split("_")
        changed.append(bench.read_without(Heads(heads), partner, means if how == "mean" else None))
    control = [bench.read_changed(one, partner, other) for one in names.interventions]
    reads = [*plain, *changed]
    arrays = {
        "identity": np.stack([one.identity for one in reads]),
        "copy_effect": np.stack([one.copy_effect for one in reads]),
        "copied": np.stack([one.copied for one in reads]).astype(np.int8),
        "control": np.stack([one.identity for one in control]),
        "logprob": np.stack([one.logprob for one in plain]),
    }
    if names.layers:
        seen = [[bench.read_lens(whole, layer).identity for layer in names.layers] for whole in (own, partner)]
        arrays["lens"] = np.stack([one for whole in seen for one in whole])
    norm = bench.abilities.norm
    if names.parts is not None and norm is not None:
        wholes = [attribute(bench.model, names.parts, norm, whole.sequences) for whole in (own, partner)]
        arrays["attribution"] = np.concatenate(wholes)
    states = [own.state, partner.state, *(bench.state_changed(one, own, partner) for one in names.decoded_changes)]
    known = [state.float() for state in states if state is not None]
    if known:
        n = len(pairs.halves)
        arrays["state"] = np.stack([(state[:n] - state[n:]).cpu().numpy() for state in known])
    if bench.abilities.patterns:
        looks = [_attention(bench, whole) for whole in (own, partner)]
        arrays |= {f"attention_{kind}": np.stack([look[kind] for look in looks]) for kind in looks[0]}
    return arrays


def _attention(bench: Bench, whole: Pass) -> dict[str, Float[np.ndarray, "half place"]]:
    """Mean over the chosen heads: from a token's first occurrence to the one before it, and from its cue's second
    occurrence to its first."""
    sequences = whole.sequences
    n, places = len(sequences.targets), torch.tensor(sequences.places)
    first = places - sequences.seq_len
    found: dict[str, np.ndarray] = {}
    for kind, query, key in ((Heads.PREVIOUS, first, first - 1), (Heads.INDUCTION, places - 1, first)):
        parts = [
            whole.kept[bench.abilities.patterns[layer]][:n, head][:, query, key].float().cpu().numpy()
            for layer, heads in bench.chosen.of(kind).items()
            for head in heads
        ]
        found[kind.value] = np.asarray(np.mean(parts, axis=0, dtype=np.float32))
    return found


def _matched(bench: Bench, whole: Pass) -> Float[np.ndarray, "half place"]:
    """Share of the chosen induction heads that attend, from a cue's second occurrence, more to what followed its first
    one than to any other token of the first half."""
    sequences = whole.sequences
    n, places = len(sequences.targets), torch.tensor(sequences.places)
    half = sequences.positions(Half.FIRST)
    found = []
    for layer, heads in bench.chosen.of(Heads.INDUCTION).items():
        looks = whole.kept[bench.abilities.patterns[layer]][:n, heads][:, :, places - 1, half].float()
        own = (places - sequences.seq_len - sequences.first).expand(*looks.shape[:2], -1)[..., None].to(looks.device)
        others = looks.scatter(-1, own, -1.0).max(dim=-1).values
        found.append((looks.gather(-1, own)[..., 0] > others).float())
    return torch.cat(found, dim=1).mean(dim=1).cpu().numpy()


def mix(bench: Bench, plan: Plan, studied: Studied, pairs: Pairs) -> Arrays:
    """[cell half place]: the identity effect where the cue, the copied token, both or neither is replaced by its
    partner; where induction heads look from the cue (`attention`: to what followed it; `matched`: whether
    most of all). A fifth cell, where rows can be changed:
    the cue's input row mended, the copied token the partner."""
    targets = np.unique(pairs.targets[pairs.asked])
    cues = np.unique(pairs.halves[:, pairs.places - 1][pairs.asked])
    patterns = [bench.abilities.patterns[layer] for layer in chosen_layers(bench.chosen)]
    effects, looks, matches = [], [], []

    def look(cue: Whose, copied: Whose, is_mended: bool = False) -> None:
        halves = pairs.halves
        for ids, whose in ((cues, cue), (targets, copied)):
            if whose is Whose.PARTNER:
                halves = replaced(halves, ids, studied.partners[np.searchsorted(studied.ids, ids)])
        sequences = Sequences.of(Pairs(halves, pairs.places, pairs.asked), cues, True, plan.bos_id)
        edits = {EMBED: bench.input_edit(Rows.MENDED, sequences)} if is_mended else {}
        whole = run_pass(bench.model, sequences, edits, patterns)
        effects.append(read(whole.logits, sequences).identity)
        if patterns:
            looks.append(_attention(bench, whole)[Heads.INDUCTION.value])
            matches.append(_matched(bench, whole))

    for cell in CELLS:
        look(*cell)
    if bench.abilities.input and bench.abilities.input_scale is not None:
        look(Whose.OWN, Whose.PARTNER, is_mended=True)
    arrays: Arrays = {"identity": np.stack(effects)}
    if patterns:
        arrays |= {"attention": np.stack(looks), "matched": np.stack(matches)}
    return arrays


def joined(parts: Sequence[Arrays], axis: int) -> Arrays:
    """Parts of one draw, one after the other along the axis of halves."""
    return {name: np.concatenate([part[name] for part in parts], axis=axis) for name in parts[0]}
