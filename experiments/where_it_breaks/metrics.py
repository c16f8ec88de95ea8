"""The numbers and arrays of a run, from what was measured."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.where_it_breaks.choosing import Studied
from experiments.where_it_breaks.circuits import Ranked
from experiments.where_it_breaks.decoding import decode
from experiments.where_it_breaks.interventions import Heads, Whose
from experiments.where_it_breaks.stages import CELLS, Names
from harness.measure.intervals import Interval, wilson
from harness.measure.pigeonhole import Pigeonhole, per_token

Metrics = dict[str, float | int | str | None]

OWN, PARTNER = Whose.OWN.value, Whose.PARTNER.value

OTHER_HEADS = "other_heads"
MENDED_CUE = "mended_then_partner"
MIXED = {
    "mixed/cost_of_cue": (-0.5, -0.5, 0.5, 0.5),
    "mixed/cost_of_copied": (-0.5, 0.5, -0.5, 0.5),
    "mixed/interaction": (1.0, -1.0, -1.0, 1.0),
}
"""Contrasts over `CELLS`: (own, own), (own, partner), (partner, own), (partner, partner)."""


@dataclass(frozen=True, eq=False)
class PoolAnswer:
    """Everything measured on one pool: each token in each draw, that is, once in other company."""

    studied: Studied
    prefix: str
    """Of its metrics."""
    names: Names
    identity: Mapping[str, Float[np.ndarray, "token draw"]]
    """By name: `own`, `partner`, each intervention, each ablation. What shares are of."""
    copy_effect: Mapping[str, Float[np.ndarray, "token draw"]]
    copied: Mapping[str, Float[np.ndarray, "token draw"]]
    """Whether the column read was the only likeliest."""
    control: Mapping[str, Float[np.ndarray, "token draw"]]
    logprob: Mapping[str, Float[np.ndarray, "token draw"]]
    attention: Mapping[str, Mapping[str, Float[np.ndarray, "token draw"]]]
    """Kind of head -> whose; empty without attention patterns."""
    lens: Mapping[str, Float[np.ndarray, "layer token draw"]]
    """Whose -> identity effect read off the residual stream before each layer; empty without such hooks."""
    attribution: Mapping[str, Float[np.ndarray, "part token draw"]]
    """Whose -> identity effect by `names.parts`; empty where it is no sum over parts."""
    circuits: Mapping[str, Mapping[str, Ranked]]
    """Circuit -> whose; empty where heads' weights can't be read."""
    decoded: Mapping[str, tuple[Float[np.ndarray, " token"], Float[np.ndarray, " token"]]]
    """By name: share nearest, share farther; empty where states are not known, or tokens or appearances are single."""
    mixed: Float[np.ndarray, "cell token draw"] | None
    """NaN where a token had no cue; None for a single token."""
    mixed_attention: Float[np.ndarray, "cell token draw"] | None
    """The same of induction heads' attention; None without attention patterns, too."""
    mixed_matched: Float[np.ndarray, "cell token draw"] | None
    """Share of induction heads for which no other key of the half is attended as much."""

    @classmethod
    def of(
        cls,
        studied: Studied,
        prefix: str,
        names: Names,
        alone: Sequence[Mapping[str, np.ndarray]],
        mixed: Sequence[Mapping[str, np.ndarray]],
        circuits: Mapping[str, Mapping[str, Ranked]],
    ) -> "PoolAnswer":
        """From the shards of every appearance, and what weights alone say."""

        def all_draws(key: str) -> Float[np.ndarray, "row token draw"]:
            return np.stack([shard[key] for shard in alone], axis=-1).astype(np.float64)

        def by_row(key: str, rows: Iterable[str]) -> dict[str, Float[np.ndarray, "token draw"]]:
            return dict(zip(rows, all_draws(key), strict=True))

        whose = (OWN, PARTNER)
        kinds = [kind.value for kind in (Heads.PREVIOUS, Heads.INDUCTION) if f"attention_{kind.value}" in alone[0]]
        return cls(
            studied=studied,
            prefix=prefix,
            names=names,
            identity=by_row("identity", names.rows),
            copy_effect=by_row("copy_effect", names.rows),
            copied=by_row("copied", names.rows),
            control=by_row("control", (one.name for one in names.interventions)),
            logprob=by_row("logprob", whose),
            attention={kind: by_row(f"attention_{kind}", whose) for kind in kinds},
            lens=dict(zip(whose, np.split(all_draws("lens"), 2), strict=True)) if names.layers else {},
            attribution=dict(zip(whose, np.split(all_draws("attribution"), 2), strict=True)) if names.parts else {},
            circuits=circuits,
            decoded=_decoded(studied, names, alone),
            mixed=_mixed(studied, mixed, "identity"),
            mixed_attention=_mixed(studied, mixed, "attention"),
            mixed_matched=_mixed(studied, mixed, "matched"),
        )

    @property
    def name(self) -> str:
        """Of the pool."""
        return self.studied.name

    @cached_property
    def lost(self) -> Float[np.ndarray, "token draw"]:
        """Of the identity effect: what the partners have and the tokens have not (logits)."""
        found: np.ndarray = self.identity[PARTNER] - self.identity[OWN]
        return found


def _decoded(
    studied: Studied, names: Names, shards: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, tuple[Float[np.ndarray, " token"], Float[np.ndarray, " token"]]]:
    if "state" not in shards[0] or len(shards) < 2 or len(studied.ids) < 2:
        return {}
    states = np.stack([shard["state"] for shard in shards], axis=1)
    return {name: decode(state) for name, state in zip(names.decoded, states, strict=True)}


def _mixed(
    studied: Studied, shards: Sequence[Mapping[str, np.ndarray]], key: str
) -> Float[np.ndarray, "cell token draw"] | None:
    if not shards or key not in shards[0]:
        return None
    found = np.full((len(shards[0][key]), len(studied.ids), len(shards)), np.nan)
    for draw, shard in enumerate(shards):
        found[:, np.searchsorted(studied.ids, shard["ids"]), draw] = shard[key]
    return found


def prefix_of(studied: Studied, pools: Sequence[Studied]) -> str:
    """Nothing where a single pool is studied: metrics are then `restored/...`."""
    return "" if len(pools) == 1 else f"{studied.name}/"


def all_metrics(answers: Sequence[PoolAnswer], seed: int) -> Metrics:
    """Every metric of the run; resampling starts from `seed`. What can't be said is None."""
    metrics: Metrics = {}
    for answer in answers:
        n_tokens, n_draws = answer.lost.shape
        resampled = Pigeonhole.of(n_tokens, n_draws, seed)
        found = _pool_metrics(answer, resampled)
        metrics |= {f"{answer.prefix}{name}": value for name, value in found.items()}
    return metrics


def _pool_metrics(answer: PoolAnswer, resampled: Pigeonhole) -> Metrics:
    own, partner = answer.identity[OWN], answer.identity[PARTNER]
    lost, gained = resampled.mean(answer.lost), resampled.mean(partner)
    copies = _surely_positive(gained)
    loses = copies and _surely_positive(lost)
    metrics: Metrics = {
        "n_tokens": len(own),
        **resampled.mean(own).metrics("identity_effect"),
        **gained.metrics("identity_effect_partner"),
        **lost.metrics("lost"),
        "loses": int(loses),
        "partner_copies": int(copies),
        **resampled.mean(answer.copy_effect[OWN]).metrics("copy_effect"),
        **resampled.mean(answer.copy_effect[PARTNER]).metrics("copy_effect_partner"),
    }
    for name, copied in answer.copied.items():
        metrics |= resampled.mean(copied).metrics(f"copied/{name}")
    for name in (one.name for one in (*answer.names.interventions, *answer.names.streams)):
        found = resampled.ratio(answer.identity[name] - own, answer.lost) if loses else None
        metrics |= _interval(f"restored/{name}", found)
    metrics |= _restored_copy_effect(answer, resampled)
    for name, control in answer.control.items():
        metrics |= _interval(f"control/{name}", resampled.ratio(control, partner) if copies else None)
    for name in answer.names.ablations:
        found = resampled.ratio(partner - answer.identity[name], partner) if copies else None
        metrics |= _interval(f"ablated/{name}", found)
    for kind, looks in answer.attention.items():
        metrics |= resampled.mean(looks[OWN]).metrics(f"attention/{kind}")
        metrics |= resampled.mean(looks[PARTNER]).metrics(f"attention/{kind}_partner")
    for whose, by_layer in answer.lens.items():
        for layer, column in zip(answer.names.layers, by_layer, strict=True):
            metrics |= resampled.mean(column).metrics(f"lens/{whose}_{layer}")
    metrics |= _attribution_metrics(answer, resampled)
    for circuit, by_whose in answer.circuits.items():
        for whose, ranked in by_whose.items():
            after = "" if whose == OWN else f"_{whose}"
            # One trial a token, often none of them a success: no interval from 0 to 0.
            first = wilson(int(ranked.is_first.sum()), len(ranked.is_first))
            metrics |= first.metrics(f"{circuit}/top1{after}")
            metrics |= resampled.mean(1 / ranked.rank[:, None]).metrics(f"{circuit}/reciprocal_rank{after}")
            metrics |= resampled.mean(ranked.z_score[:, None]).metrics(f"{circuit}/z_score{after}")
    for what, (nearest, farther) in answer.decoded.items():
        metrics |= resampled.mean(nearest[:, None]).metrics(f"decoded/{what}")
        metrics |= resampled.mean(farther[:, None]).metrics(f"decoded_pairwise/{what}")
    if "mend_both" in answer.identity:
        both, read, written = (answer.identity[f"mend_{end}"] for end in ("both", "input", "output"))
        found = resampled.ratio(both - read - written + own, answer.lost) if loses else None
        metrics |= _interval("mend_interaction", found)
    return metrics | _mixed_metrics(answer, resampled)


def _attribution_metrics(answer: PoolAnswer, resampled: Pigeonhole) -> Metrics:
    """By named head, all other heads together, each MLP and the rest: they add up."""
    metrics: Metrics = {}
    unexplained = 0.0
    for whose, values in answer.attribution.items():
        assert answer.names.parts is not None
        by_part = dict(zip(answer.names.parts.names, values, strict=True))
        named = [head.label for head in answer.names.chosen.all]
        others = [head.label for head in answer.names.parts.heads if head.label not in named]
        shown = {name: by_part[name] for name in (*named, *list(by_part)[len(answer.names.parts.heads) :])}
        if others:
            shown[OTHER_HEADS] = np.sum([by_part[name] for name in others], axis=0)
        for name, column in shown.items():
            metrics |= resampled.mean(column).metrics(f"attribution/{whose}_{name}")
        unexplained = max(unexplained, float(np.abs(values.sum(axis=0) - answer.identity[whose]).max()))
    return metrics | ({"attribution/unexplained": unexplained} if answer.attribution else {})


def _restored_copy_effect(answer: PoolAnswer, resampled: Pigeonhole) -> Metrics:
    """The same of log-probs, where they lose anything: a pool's tokens may all rise together."""
    own, lost = answer.copy_effect[OWN], answer.copy_effect[PARTNER] - answer.copy_effect[OWN]
    metrics: Metrics = dict(resampled.mean(lost).metrics("lost_copy_effect"))
    loses = _surely_positive(resampled.mean(lost))
    for name in (one.name for one in answer.names.interventions):
        found = resampled.ratio(answer.copy_effect[name] - own, lost) if loses else None
        metrics |= _interval(f"restored_copy_effect/{name}", found)
    return metrics


def _surely_positive(interval: Interval) -> bool:
    """Nothing can be a share of what may be 0."""
    return (interval.mean if interval.low is None else interval.low) > 0


def _interval(key: str, found: Interval | None) -> Metrics:
    if found is None:
        return {key: None, f"{key}/ci_low": None, f"{key}/ci_high": None}
    return dict(found.metrics(key))


def cell_key(cue: Whose, copied: Whose, of: str = "mixed") -> str:
    """The metric of a cell of the mixed halves."""
    return f"{of}/{cue.value}_then_{copied.value}"


def cell_names(n: int) -> list[str]:
    """Of `n` columns; the fifth one is there where rows can be changed."""
    return [*(cell_key(*cell).removeprefix("mixed/") for cell in CELLS), MENDED_CUE][:n]


def _mixed_metrics(answer: PoolAnswer, resampled: Pigeonhole) -> Metrics:
    metrics: Metrics = {}
    for of, values in (
        ("mixed", answer.mixed),
        ("mixed_attention", answer.mixed_attention),
        ("mixed_matched", answer.mixed_matched),
    ):
        if values is None:
            continue
        cells = dict(zip(cell_names(len(values)), values, strict=True))
        for name, column in cells.items():
            metrics |= resampled.mean(column).metrics(f"{of}/{name}")
        if of == "mixed":
            for name, weights in MIXED.items():
                metrics |= resampled.mean(np.tensordot(weights, values[: len(CELLS)], 1)).metrics(name)
            metrics |= _mended_cue(cells, resampled)
    return metrics


def _mended_cue(cells: Mapping[str, Float[np.ndarray, "token draw"]], resampled: Pigeonhole) -> Metrics:
    """Of what a cue of the pool costs where partners are copied: the share that its mended input row restores."""
    if MENDED_CUE not in cells:
        return {}
    own, healthy = cells["own_then_partner"], cells["partner_then_partner"]
    costs = _surely_positive(resampled.mean(healthy - own))
    found = resampled.ratio(cells[MENDED_CUE] - own, healthy - own) if costs else None
    return _interval("mixed/cue_restored_by_mending", found)


def pool_arrays(answer: PoolAnswer) -> dict[str, np.ndarray]:
    """What is kept of a pool, as float32: each token's mean over draws."""
    name, names = answer.name, answer.names
    arrays: dict[str, np.ndarray] = {
        f"{name}/ids": answer.studied.ids,
        f"{name}/partners": answer.studied.partners,
        f"{name}/others": answer.studied.others,
    }
    curve = {one.name for one in names.streams}
    for key, of_tokens in (
        ("identity", answer.identity),
        ("copy_effect", answer.copy_effect),
        ("copied", answer.copied),
        ("control", answer.control),
    ):
        arrays |= {f"{name}/{key}/{what}": _kept(values) for what, values in of_tokens.items() if what not in curve}
    n_layers = len(names.layers)
    for start, half in enumerate(("first", "second") if n_layers else ()):
        some = names.streams[start * n_layers : (start + 1) * n_layers]
        arrays[f"{name}/residual/{half}"] = np.stack([_kept(answer.identity[one.name]) for one in some], 1)
    for whose, values in answer.logprob.items():
        arrays[f"{name}/logprob/{whose}"] = _kept(values)
    for kind, looks in answer.attention.items():
        arrays |= {f"{name}/attention/{kind}/{whose}": _kept(values) for whose, values in looks.items()}
    arrays |= {f"{name}/lens/{whose}": _kept(by_layer).T for whose, by_layer in answer.lens.items()}
    arrays |= _attribution_arrays(answer)
    for what, (nearest, farther) in answer.decoded.items():
        arrays[f"{name}/decoded/{what}"] = nearest.astype(np.float32)
        arrays[f"{name}/decoded_pairwise/{what}"] = farther.astype(np.float32)
    for circuit, by_whose in answer.circuits.items():
        for whose, ranked in by_whose.items():
            arrays[f"{name}/{circuit}/rank/{whose}"] = ranked.rank.astype(np.float32)
            arrays[f"{name}/{circuit}/z_score/{whose}"] = ranked.z_score.astype(np.float32)
    for what, cells in (
        ("mixed", answer.mixed),
        ("mixed_attention", answer.mixed_attention),
        ("mixed_matched", answer.mixed_matched),
    ):
        if cells is not None:
            arrays[f"{name}/{what}"] = _kept(cells).T
    return arrays


def _kept(values: Float[np.ndarray, "*more token draw"]) -> Float[np.ndarray, "*more token"]:
    found: np.ndarray = per_token(values).astype(np.float32)
    return found


def _attribution_arrays(answer: PoolAnswer) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    parts, name = answer.names.parts, answer.name
    for whose, values in answer.attribution.items():
        assert parts is not None
        of_tokens = _kept(values).T
        n_heads, layers = len(parts.heads), list(parts.outputs)
        heads = np.full((len(of_tokens), len(layers), 1 + max(head.head for head in parts.heads)), np.nan, np.float32)
        for head, column in zip(parts.heads, of_tokens.T, strict=False):
            heads[:, layers.index(head.layer), head.head] = column
        arrays[f"{name}/attribution/heads/{whose}"] = heads
        arrays[f"{name}/attribution/mlps/{whose}"] = of_tokens[:, n_heads:-1]
        arrays[f"{name}/attribution/rest/{whose}"] = of_tokens[:, -1]
    return arrays


def records(answer: PoolAnswer, special: Collection[int], shown: Callable[[int], str]) -> Iterable[dict[str, Any]]:
    """One for every token, in ascending order."""
    ids, partners = answer.studied.ids.tolist(), answer.studied.partners.tolist()
    by_name = {"identity": answer.identity, "copy_effect": answer.copy_effect, "copied": answer.copied}
    means = {key: {name: per_token(values) for name, values in found.items()} for key, found in by_name.items()}
    logprob = {whose: per_token(values) for whose, values in answer.logprob.items()}
    mixed = None if answer.mixed is None else per_token(answer.mixed).T
    lost = per_token(answer.lost)
    for row, (token, partner) in enumerate(zip(ids, partners, strict=True)):
        yield {
            "item": f"{answer.name}/token/{token}",
            "pool": answer.name,
            "token": token,
            "shown": shown(token),
            "special": token in special,
            "partner": partner,
            "partner_shown": shown(partner),
            "lost": float(lost[row]),
            "logprob": float(logprob[OWN][row]),
            "logprob_partner": float(logprob[PARTNER][row]),
            **{key: {name: float(values[row]) for name, values in found.items()} for key, found in means.items()},
            "mixed": None if mixed is None else _cells(mixed[row]),
        }


def _cells(values: Float[np.ndarray, " cell"]) -> dict[str, float] | None:
    if np.isnan(values).any():
        return None
    return dict(zip(cell_names(len(values)), values.tolist(), strict=True))
