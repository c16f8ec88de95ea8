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
from harness.measure.bootstrap import bootstrap_mean, bootstrap_ratio
from harness.measure.intervals import Interval

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
    """Everything measured on one pool; all per token are means over its appearances."""

    studied: Studied
    prefix: str
    """Of its metrics."""
    names: Names
    identity: Mapping[str, Float[np.ndarray, " token"]]
    """By name: `own`, `partner`, each intervention, each ablation. What shares are of."""
    copy_effect: Mapping[str, Float[np.ndarray, " token"]]
    copied: Mapping[str, Float[np.ndarray, " token"]]
    """Share of appearances in which the column read was the only likeliest."""
    control: Mapping[str, Float[np.ndarray, " token"]]
    logprob: Mapping[str, Float[np.ndarray, " token"]]
    attention: Mapping[str, Mapping[str, Float[np.ndarray, " token"]]]
    """Kind of head -> whose; empty without attention patterns."""
    lens: Mapping[str, Float[np.ndarray, "token layer"]]
    """Whose -> identity effect read off the residual stream before each layer; empty without such hooks."""
    attribution: Mapping[str, Float[np.ndarray, "part token"]]
    """Whose -> identity effect by `names.parts`; empty where it is no sum over parts."""
    circuits: Mapping[str, Mapping[str, Ranked]]
    """Circuit -> whose; empty where heads' weights can't be read."""
    decoded: Mapping[str, tuple[Float[np.ndarray, " token"], Float[np.ndarray, " token"]]]
    """By name: share nearest, share farther; empty where states are not known, or tokens or appearances are single."""
    mixed: Float[np.ndarray, "token cell"] | None
    """NaN for a token that never had a cue; None for a single token."""
    mixed_attention: Float[np.ndarray, "token cell"] | None
    """The same of induction heads' attention; None without attention patterns, too."""
    mixed_matched: Float[np.ndarray, "token cell"] | None
    """Share of induction heads, and of appearances, in which no other key of the half is attended as much."""

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

        def mean(key: str) -> Float[np.ndarray, "row token"]:
            return np.asarray(np.mean([shard[key] for shard in alone], axis=0, dtype=np.float64))

        def by_row(key: str, rows: Iterable[str]) -> dict[str, Float[np.ndarray, " token"]]:
            return dict(zip(rows, mean(key), strict=True))

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
            lens=dict(zip(whose, np.split(mean("lens").T, 2, axis=1), strict=True)) if names.layers else {},
            attribution=dict(zip(whose, np.split(mean("attribution"), 2), strict=True)) if names.parts else {},
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
    def lost(self) -> Float[np.ndarray, " token"]:
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
) -> Float[np.ndarray, "token cell"] | None:
    if not shards or key not in shards[0]:
        return None
    total, count = np.zeros((len(studied.ids), len(shards[0][key]))), np.zeros(len(studied.ids))
    for shard in shards:
        at = np.searchsorted(studied.ids, shard["ids"])
        total[at] += shard[key].T
        count[at] += 1
    found: np.ndarray = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], np.nan)
    return found


def prefix_of(studied: Studied, pools: Sequence[Studied]) -> str:
    """Nothing where a single pool is studied: metrics are then `restored/...`."""
    return "" if len(pools) == 1 else f"{studied.name}/"


def all_metrics(answers: Sequence[PoolAnswer], seed: int) -> Metrics:
    """Every metric of the run; resampling starts from `seed`. What can't be said is None."""
    metrics: Metrics = {}
    for answer in answers:
        metrics |= {f"{answer.prefix}{name}": value for name, value in _pool_metrics(answer, seed).items()}
    return metrics


def _pool_metrics(answer: PoolAnswer, seed: int) -> Metrics:
    own, partner = answer.identity[OWN], answer.identity[PARTNER]
    lost, gained = bootstrap_mean(answer.lost, seed), bootstrap_mean(partner, seed)
    copies = _surely_positive(gained)
    loses = copies and _surely_positive(lost)
    metrics: Metrics = {
        "n_tokens": len(own),
        **bootstrap_mean(own, seed).metrics("identity_effect"),
        **gained.metrics("identity_effect_partner"),
        **lost.metrics("lost"),
        "loses": int(loses),
        "partner_copies": int(copies),
        **bootstrap_mean(answer.copy_effect[OWN], seed).metrics("copy_effect"),
        **bootstrap_mean(answer.copy_effect[PARTNER], seed).metrics("copy_effect_partner"),
    }
    for name, copied in answer.copied.items():
        metrics |= bootstrap_mean(copied, seed).metrics(f"copied/{name}")
    for name in (one.name for one in (*answer.names.interventions, *answer.names.streams)):
        found = bootstrap_ratio(answer.identity[name] - own, answer.lost, seed) if loses else None
        metrics |= _interval(f"restored/{name}", found)
    metrics |= _restored_copy_effect(answer, seed)
    for name, control in answer.control.items():
        metrics |= _interval(f"control/{name}", bootstrap_ratio(control, partner, seed) if copies else None)
    for name in answer.names.ablations:
        found = bootstrap_ratio(partner - answer.identity[name], partner, seed) if copies else None
        metrics |= _interval(f"ablated/{name}", found)
    for kind, looks in answer.attention.items():
        metrics |= bootstrap_mean(looks[OWN], seed).metrics(f"attention/{kind}")
        metrics |= bootstrap_mean(looks[PARTNER], seed).metrics(f"attention/{kind}_partner")
    for whose, by_layer in answer.lens.items():
        for layer, column in zip(answer.names.layers, by_layer.T, strict=True):
            metrics |= bootstrap_mean(column, seed).metrics(f"lens/{whose}_{layer}")
    metrics |= _attribution_metrics(answer, seed)
    for circuit, by_whose in answer.circuits.items():
        for whose, ranked in by_whose.items():
            after = "" if whose == OWN else f"_{whose}"
            metrics |= bootstrap_mean(ranked.is_first, seed).metrics(f"{circuit}/top1{after}")
            metrics |= bootstrap_mean(1 / ranked.rank, seed).metrics(f"{circuit}/reciprocal_rank{after}")
            metrics |= bootstrap_mean(ranked.z_score, seed).metrics(f"{circuit}/z_score{after}")
    for what, (nearest, farther) in answer.decoded.items():
        metrics |= bootstrap_mean(nearest, seed).metrics(f"decoded/{what}")
        metrics |= bootstrap_mean(farther, seed).metrics(f"decoded_pairwise/{what}")
    if "mend_both" in answer.identity:
        both, read, written = (answer.identity[f"mend_{end}"] for end in ("both", "input", "output"))
        found = bootstrap_ratio(both - read - written + own, answer.lost, seed) if loses else None
        metrics |= _interval("mend_interaction", found)
    return metrics | _mixed_metrics(answer, seed)


def _attribution_metrics(answer: PoolAnswer, seed: int) -> Metrics:
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
            metrics |= bootstrap_mean(column, seed).metrics(f"attribution/{whose}_{name}")
        unexplained = max(unexplained, float(np.abs(values.sum(axis=0) - answer.identity[whose]).max()))
    return metrics | ({"attribution/unexplained": unexplained} if answer.attribution else {})


def _restored_copy_effect(answer: PoolAnswer, seed: int) -> Metrics:
    """The same of log-probs, where they lose anything: a pool's tokens may all rise together."""
    own, lost = answer.copy_effect[OWN], answer.copy_effect[PARTNER] - answer.copy_effect[OWN]
    metrics: Metrics = dict(bootstrap_mean(lost, seed).metrics("lost_copy_effect"))
    loses = _surely_positive(bootstrap_mean(lost, seed))
    for name in (one.name for one in answer.names.interventions):
        found = bootstrap_ratio(answer.copy_effect[name] - own, lost, seed) if loses else None
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


def _mixed_metrics(answer: PoolAnswer, seed: int) -> Metrics:
    metrics: Metrics = {}
    for of, values in (
        ("mixed", answer.mixed),
        ("mixed_attention", answer.mixed_attention),
        ("mixed_matched", answer.mixed_matched),
    ):
        if values is None:
            continue
        known = values[~np.isnan(values[:, 0])]
        cells = dict(zip(cell_names(known.shape[1]), known.T, strict=True))
        for name, column in cells.items():
            metrics |= bootstrap_mean(column, seed).metrics(f"{of}/{name}")
        if of == "mixed":
            for name, weights in MIXED.items():
                metrics |= bootstrap_mean(known[:, : len(CELLS)] @ np.array(weights), seed).metrics(name)
            metrics |= _mended_cue(cells, seed)
    return metrics


def _mended_cue(cells: Mapping[str, Float[np.ndarray, " token"]], seed: int) -> Metrics:
    """Of what a cue of the pool costs where partners are copied: the share that its mended input row restores."""
    if MENDED_CUE not in cells:
        return {}
    own, healthy = cells["own_then_partner"], cells["partner_then_partner"]
    costs = _surely_positive(bootstrap_mean(healthy - own, seed))
    found = bootstrap_ratio(cells[MENDED_CUE] - own, healthy - own, seed) if costs else None
    return _interval("mixed/cue_restored_by_mending", found)


def pool_arrays(answer: PoolAnswer) -> dict[str, np.ndarray]:
    """What is kept of a pool, as float32."""
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
        arrays |= {
            f"{name}/{key}/{what}": values.astype(np.float32) for what, values in of_tokens.items() if what not in curve
        }
    n_layers = len(names.layers)
    for start, half in enumerate(("first", "second") if n_layers else ()):
        some = names.streams[start * n_layers : (start + 1) * n_layers]
        arrays[f"{name}/residual/{half}"] = np.stack([answer.identity[one.name] for one in some], 1).astype(np.float32)
    for whose, values in answer.logprob.items():
        arrays[f"{name}/logprob/{whose}"] = values.astype(np.float32)
    for kind, looks in answer.attention.items():
        arrays |= {f"{name}/attention/{kind}/{whose}": values.astype(np.float32) for whose, values in looks.items()}
    arrays |= {f"{name}/lens/{whose}": by_layer.astype(np.float32) for whose, by_layer in answer.lens.items()}
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
            arrays[f"{name}/{what}"] = cells.astype(np.float32)
    return arrays


def _attribution_arrays(answer: PoolAnswer) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    parts, name = answer.names.parts, answer.name
    for whose, values in answer.attribution.items():
        assert parts is not None
        of_tokens = values.T.astype(np.float32)
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
    for row, (token, partner) in enumerate(zip(ids, partners, strict=True)):
        yield {
            "item": f"{answer.name}/token/{token}",
            "pool": answer.name,
            "token": token,
            "shown": shown(token),
            "special": token in special,
            "partner": partner,
            "partner_shown": shown(partner),
            "lost": float(answer.lost[row]),
            "logprob": float(answer.logprob[OWN][row]),
            "logprob_partner": float(answer.logprob[PARTNER][row]),
            "identity": {name: float(values[row]) for name, values in answer.identity.items()},
            "copy_effect": {name: float(values[row]) for name, values in answer.copy_effect.items()},
            "copied": {name: float(values[row]) for name, values in answer.copied.items()},
            "mixed": None if answer.mixed is None else _cells(answer.mixed[row]),
        }


def _cells(values: Float[np.ndarray, " cell"]) -> dict[str, float] | None:
    if np.isnan(values).any():
        return None
    return dict(zip(cell_names(len(values)), values.tolist(), strict=True))
