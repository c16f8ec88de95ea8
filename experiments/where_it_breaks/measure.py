"""How exp=where_it_breaks is measured: heads chosen on the partners, then every intervention, then mixed halves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from experiments.where_it_breaks.abilities import Abilities, find_abilities
from experiments.where_it_breaks.bench import Bench, Chosen
from experiments.where_it_breaks.choosing import Plan, Studied, plan
from experiments.where_it_breaks.circuits import Circuits, candidates_of
from experiments.where_it_breaks.config import WhereItBreaksConfig
from experiments.where_it_breaks.interventions import INTERVENTIONS, Group, Intervention
from experiments.where_it_breaks.metrics import PoolAnswer, all_metrics, pool_arrays, prefix_of, records
from experiments.where_it_breaks.passes import Sequences
from experiments.where_it_breaks.rows import End
from experiments.where_it_breaks.stages import (
    Arrays,
    Names,
    choose_heads,
    chosen_layers,
    intervene,
    joined,
    mean_outputs,
    mix,
    score_heads,
    sequences_of,
    some_pairs,
)
from harness.glitch.copying.draws import Pairs
from harness.measure.heads import uniform_attention
from harness.models.batch_size import choose_batch_size, halve_on_oom
from harness.models.embedding_rows import load_embedding_rows
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Outcome, Run

_ROWS_OF_A_PAIR = 4
_STANDS_OUT = 2.0
"""Times even attention, below which no head is an induction head."""

Scores = Mapping[str, Float[np.ndarray, "layer head"]]


@dataclass(frozen=True, eq=False)
class _Draw:
    """One draw of one pool's sequences."""

    studied: Studied
    pairs: tuple[Pairs, ...]


def measure(run: Run[WhereItBreaksConfig]) -> Outcome:
    """Measure every pool, then compute everything else from what was stored."""
    planned = plan(run, load_embedding_rows(run.identity, run.config.model))
    abilities = _abilities(run, planned)
    scores = _scores(run, planned, abilities)
    chosen = choose_heads(scores, abilities, run.exp.top_heads) if scores else Chosen()
    benches = {
        studied.name: Bench(
            run.model,
            abilities,
            chosen,
            End.of(run.model.embedding(), studied, run.seed),
            End.of(run.model.unembedding(), studied, run.seed),
        )
        for studied in planned.pools
    }
    names = Names.of(next(iter(benches.values())), run.exp.n_layer_points)
    means = _means(run, planned, benches) if names.ablations else {}
    answers = _answers(run, planned, benches, names, means)
    found = all_metrics(answers, run.seed)
    _say(run, planned, answers, next(iter(benches.values())), names, scores, found)
    arrays: Arrays = {}
    for answer in answers:
        run.records.append(records(answer, run.facts.special_ids, run.shown))
        arrays |= pool_arrays(answer)
    if scores:
        arrays |= {f"heads/{kind}": values.astype(np.float32) for kind, values in scores.items()}
    return Outcome(found, arrays, _details(run, planned, names, chosen, abilities))


def _abilities(run: Run[WhereItBreaksConfig], planned: Plan) -> Abilities:
    # As short as can be: every layer is tried by itself.
    halves = planned.pools[0].material.companions[:8].reshape(2, 4)
    pairs = Pairs(halves, np.array([1, 3]), np.ones((2, 2), dtype=bool))
    with run.timer("probe"), torch.inference_mode():
        return find_abilities(run.model, Sequences.of(pairs, np.unique(halves), False, planned.bos_id))


def _by_pairs(
    run: Run[WhereItBreaksConfig], planned: Plan, pairs: Pairs, compute: Callable[[Pairs], Arrays]
) -> list[Arrays]:
    """`compute` on as many pairs at a time as memory allows."""
    size = choose_batch_size(run.model, planned.n_pos, run.exp.batch_size)

    def some(rows: slice) -> Arrays:
        with torch.inference_mode():
            return compute(some_pairs(pairs, rows))

    return halve_on_oom(some, len(pairs.halves) // 2, planned.n_pos, max(1, size // _ROWS_OF_A_PAIR))


def _draws(planned: Plan, kind: str) -> list[Batch[_Draw]]:
    return [
        Batch(
            f"{studied.name}-{kind}-{number:03d}",
            _Draw(studied, (planned.draw(studied, number),)),
            len(studied.ids),
        )
        for studied in planned.pools
        for number in range(planned.n_appearances)
    ]


def _partners(planned: Plan, work: _Draw, pairs: Pairs) -> Sequences:
    return sequences_of(planned, work.studied, pairs, work.studied.partners)


def _scores(run: Run[WhereItBreaksConfig], planned: Plan, abilities: Abilities) -> Scores:
    """Of every head, on the partners' sequences of all pools; empty where there is nothing to choose."""
    if not abilities.patterns:
        return {}

    def compute(batch: Batch[_Draw]) -> Arrays:
        (pairs,) = batch.work.pairs
        parts = _by_pairs(
            run,
            planned,
            pairs,
            lambda some: score_heads(run.model, abilities, _partners(planned, batch.work, some), some),
        )
        return {name: np.asarray(np.sum([part[name] for part in parts], axis=0)) for name in parts[0]}

    with run.timer("heads"):
        shards = compute_batches(run, _draws(planned, "heads"), compute, no_rows, "choosing heads")
    n_rows = sum(shard["rows"].item() for shard in shards)
    return {kind: np.sum([shard[kind] for shard in shards], axis=0) / n_rows for kind in ("previous", "induction")}


def _means(run: Run[WhereItBreaksConfig], planned: Plan, benches: Mapping[str, Bench]) -> dict[int, Tensor]:
    """Layer -> mean output of its heads by position, over the partners' sequences of all pools."""

    def compute(batch: Batch[_Draw]) -> Arrays:
        (pairs,) = batch.work.pairs
        bench = benches[batch.work.studied.name]
        parts = _by_pairs(run, planned, pairs, lambda some: mean_outputs(bench, _partners(planned, batch.work, some)))
        return _weighted(parts)

    with run.timer("means"):
        shards = compute_batches(run, _draws(planned, "means"), compute, no_rows, "mean outputs")
    found = _weighted(shards)
    chosen = next(iter(benches.values())).chosen
    return {layer: torch.from_numpy(found[f"layer_{layer}"]) for layer in chosen_layers(chosen)}


def _weighted(parts: Sequence[Arrays]) -> Arrays:
    rows = np.array([part["rows"].item() for part in parts])
    return {
        name: np.asarray(np.average([part[name] for part in parts], axis=0, weights=rows), dtype=np.float32)
        for name in parts[0]
        if name != "rows"
    } | {"rows": np.array([rows.sum()])}


def _answers(
    run: Run[WhereItBreaksConfig],
    planned: Plan,
    benches: Mapping[str, Bench],
    names: Names,
    means: Mapping[int, Tensor],
) -> list[PoolAnswer]:
    alone = _draws(planned, "alone")
    mixed = [
        Batch(f"{studied.name}-mixed-{number:03d}", _Draw(studied, tuple(pairs)), len(studied.ids))
        for studied in planned.pools
        for number in range(planned.n_appearances)
        if (pairs := planned.draw_mixed(studied, number))
    ]

    def compute_alone(batch: Batch[_Draw]) -> Arrays:
        (pairs,) = batch.work.pairs
        studied = batch.work.studied
        one = partial(intervene, benches[studied.name], planned, studied, names, means)
        return _asked(joined(_by_pairs(run, planned, pairs, one), 1), pairs)

    def compute_mixed(batch: Batch[_Draw]) -> Arrays:
        studied, found = batch.work.studied, []
        for pairs in batch.work.pairs:
            one = partial(mix, benches[studied.name], planned, studied)
            found.append(_asked(joined(_by_pairs(run, planned, pairs, one), 1), pairs))
        return {name: np.concatenate([part[name] for part in found], axis=-1) for name in found[0]}

    with run.timer("circuits"), torch.inference_mode():
        weights = Circuits.of(next(iter(benches.values())))
        circuits = {studied.name: weights.of_pool(studied) for studied in planned.pools}
    with run.timer("interventions"):
        shards = compute_batches(run, alone, compute_alone, no_rows, "intervening")
    with run.timer("mixed"):
        mixed_shards = compute_batches(run, mixed, compute_mixed, no_rows, "mixed halves")
    return [
        PoolAnswer.of(
            studied,
            prefix_of(studied, planned.pools),
            names,
            [shard for batch, shard in zip(alone, shards, strict=True) if batch.work.studied is studied],
            [shard for batch, shard in zip(mixed, mixed_shards, strict=True) if batch.work.studied is studied],
            circuits[studied.name],
        )
        for studied in planned.pools
    ]


def _asked(arrays: Arrays, pairs: Pairs) -> Arrays:
    """Of the tokens asked, by ascending id: [..., token]."""
    ids: Int[np.ndarray, " token"] = pairs.targets[pairs.asked]
    order = np.argsort(ids)
    return {"ids": ids[order]} | {name: values[:, pairs.asked][:, order] for name, values in arrays.items()}


def _say(
    run: Run[WhereItBreaksConfig],
    planned: Plan,
    answers: Sequence[PoolAnswer],
    bench: Bench,
    names: Names,
    scores: Scores,
    found: Mapping[str, Any],
) -> None:
    """The plain sentences that go with the numbers."""
    if planned.bos_id is None:
        run.note("no BOS: this model has none, so the first half begins at position 0")
    _say_what_is_left_out(run, bench, names, scores)
    if scores and names.ablations:
        even = uniform_attention(planned.seq_len, planned.first + planned.seq_len)
        best = float(np.nanmax(scores["induction"]))
        if best < _STANDS_OUT * even:
            run.note(
                f"No head looks like an induction head: the highest score on partners is {best:.3f}, even attention "
                f"would be {even:.3f}; what patching heads does means little."
            )
    for note in planned.common.notes:
        run.note(note)
    for studied, answer in zip(planned.pools, answers, strict=True):
        pool = run.pools[studied.name]
        for note in pool.notes:
            run.note(note)
        run.note(
            f"pools.{studied.name}: {len(studied.ids)} of the {studied.n_told_apart} tokens that the model can tell "
            f"apart, each with a partner from {len(studied.common)} well-known ones; companions are "
            f"{studied.companions_from}; seed {run.seed}"
        )
        if len(studied.ids) == 1:
            run.note(
                f"pools.{studied.name}: a single token has no foils of its kind; it is compared with companions, so "
                "that what lifts its whole kind counts as its own"
            )
        if not found[f"{answer.prefix}partner_copies"]:
            run.note(
                f"pools.{studied.name}: the model does not copy the partners, either: nothing can be said of where "
                "copying breaks"
            )
        elif not found[f"{answer.prefix}loses"]:
            run.note(
                f"pools.{studied.name}: its tokens lose nothing that shows beside their partners: what "
                "interventions restore is left open"
            )


def _say_what_is_left_out(run: Run[WhereItBreaksConfig], bench: Bench, names: Names, scores: Scores) -> None:
    if not scores:
        why = run.model.no_patterns_reason if not run.model.has_attention_patterns else (
            "TransformerLens' hooks of this model's attention patterns change nothing"
        )  # fmt: skip
        run.note(f"{why}: patching of patterns and heads is left out")
    elif not names.ablations:
        run.note("hooks of this model's head outputs change nothing: patching of heads' outputs is left out")
    if names.parts is None:
        run.note(
            "what this model's heads and MLPs write does not add up to its logits (capped or normalised on the way, or "
            "TransformerLens gives no hooks of it): attribution of the effect to them is left out"
        )
    if scores and "path_previous_to_induction_keys" not in {one.name for one in names.interventions}:
        run.note(
            "no previous-token head that was chosen lies in a layer before an induction head's, or what heads write or "
            "read as keys is not known: the path between them is left out"
        )
    if not names.layers:
        run.note("this model gives no hooks of the residual stream that can be replaced: its curve is left out")
    if scores and names.parts is not None:
        _say_of_circuits(run, Circuits.of(bench))
    present = {one.name for one in names.interventions}
    left_out = [one for one in INTERVENTIONS if one.name not in present]
    if any(_is_about(one, "output") for one in left_out):
        run.note(
            "this model's logits are not its final state times the unembedding (capped or scaled): changes of output "
            "rows are left out, but for the partner's"
        )
    if any(_is_about(one, "input") for one in left_out):
        run.note(
            "what this model reads of a token is no multiple of its embedding row: changes of input rows are left out"
        )
    if "random_both" not in present and "mend_both" in present:
        run.note("this model's two ends are not tied: one random row at both is left out")


def _say_of_circuits(run: Run[WhereItBreaksConfig], circuits: Circuits) -> None:
    if not circuits.copying:
        run.note(
            "what this model reads of a token is no multiple of its embedding row, or its attention does not add up to "
            "1: what heads copy by their weights alone is left out"
        )
    elif not circuits.abilities.queries:
        run.note(
            "positions have a part in this model's attention scores (rotary, ALiBi): matching is measured in the run "
            "(mixed_matched), not by weights alone"
        )


def _is_about(one: Intervention, end: str) -> bool:
    return one.name in {f"{verb}_{end}" for verb in ("rescale", "remove_direction", "mend")}


def _details(
    run: Run[WhereItBreaksConfig], planned: Plan, names: Names, chosen: Chosen, abilities: Abilities
) -> dict[str, Any]:
    return {
        "seq_len": planned.seq_len,
        "n_own": planned.n_own,
        "n_appearances": planned.n_appearances,
        "has_bos": planned.bos_id is not None,
        "common": planned.common.label,
        "layers": list(names.layers),
        "n_layers": run.model.n_layers,
        "heads": {
            "layers": list(abilities.patterns),
            "previous": [head.label for head in chosen.previous],
            "induction": [head.label for head in chosen.induction],
        },
        "interventions": [
            {"name": one.name, "label": one.label, "group": one.group.value} for one in names.interventions
        ],
        "groups": [group.value for group in Group],
        "ablations": list(names.ablations),
        "pools": {
            studied.name: {
                "prefix": prefix_of(studied, planned.pools),
                "spec": run.pools[studied.name].spec,
                "label": run.pools[studied.name].label,
                "is_proxy": run.pools[studied.name].is_proxy,
                "n_ids": len(run.pools[studied.name].ids),
                "n_told_apart": studied.n_told_apart,
                "n_special": len(set(studied.ids.tolist()) & run.facts.special_ids),
                "ids": studied.ids.tolist(),
                "partners": studied.partners.tolist(),
                "companions_from": studied.companions_from,
                "n_candidates": len(candidates_of(studied)),
                "notes": list(run.pools[studied.name].notes),
            }
            for studied in planned.pools
        },
    }
