"""How exp=repeat_one_token is measured: every sequence, then everything else from what was stored."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool

from experiments.repeat_one_token.choosing import Plan, PoolTokens, plan
from experiments.repeat_one_token.config import RepeatOneTokenConfig
from experiments.repeat_one_token.first_token import STANDS_OUT, FirstTokenLayer, find_layer, relative_norms
from experiments.repeat_one_token.metrics import all_metrics, even_share, intervals, pool_arrays
from experiments.repeat_one_token.quantities import QUANTITIES, Answer
from experiments.repeat_one_token.sequences import PoolData, measure_pools
from harness.glitch.copying.coinciding import find_coinciding
from harness.runs.context import Outcome, Run

_IDS_IN_DETAILS = 256


def measure(run: Run[RepeatOneTokenConfig]) -> Outcome:
    """Measure every pool, then compute everything else from what was stored."""
    coinciding = find_coinciding(run)
    planned = plan(run, coinciding)
    pools = measure_pools(run, planned)
    layer = find_layer(pools, planned.first)
    answers = [_answer(data, planned, layer, coinciding.said) for data in pools]
    _say(run, planned, pools, layer)
    arrays: dict[str, np.ndarray] = {}
    for answer in answers:
        run.records.append(_records(run, answer, coinciding.said))
        arrays |= pool_arrays(answer)
    has_attention = pools[0].repeated.attention is not None
    even = even_share(planned.first, planned.n_repetitions) if has_attention else None
    return Outcome(all_metrics(answers, layer, even, run.seed), arrays, _details(run, planned, layer, has_attention))


def _answer(
    data: PoolData, planned: Plan, layer: FirstTokenLayer | None, said: Mapping[int, tuple[int, ...]]
) -> Answer:
    return Answer(
        data,
        planned.bos_id is not None,
        _is_alike(data, said),
        None if layer is None else relative_norms(data, layer, planned.first),
        layer is not None and layer.stands_out,
    )


def _is_alike(data: PoolData, said: Mapping[int, tuple[int, ...]]) -> Bool[np.ndarray, "token repetition"]:
    alike = [
        np.isin(likeliest, said.get(token, (token,)))
        for token, likeliest in zip(data.tokens.ids.tolist(), data.likeliest, strict=True)
    ]
    return (data.rank == 1) | np.stack(alike)


def _say(
    run: Run[RepeatOneTokenConfig], planned: Plan, pools: Sequence[PoolData], layer: FirstTokenLayer | None
) -> None:
    """The plain sentences that go with the numbers."""
    if planned.bos_id is None:
        run.note(
            "no BOS: this model has none, so the first copy stands at position 0 and is the first token itself; "
            "attention to BOS is left out"
        )
    if pools[0].repeated.attention is None:
        run.note(f"{run.model.no_patterns_reason}: where attention goes is left out")
    for tokens in planned.pools:
        pool = run.pools[tokens.name]
        for note in pool.notes:
            run.note(note)
        if tokens.n_usable < len(pool.ids):
            run.note(
                f"pools.{tokens.name}: {len(pool.ids) - tokens.n_usable} of its {len(pool.ids)} ids have a job (BOS, "
                "EOS, padding, ...) and are left out"
            )
        if tokens.n_told_apart < tokens.n_usable:
            run.note(
                f"pools.{tokens.name}: the model can tell {tokens.n_told_apart} of its {tokens.n_usable} ids apart "
                "(the embedding's rows of the others coincide); one of each set is repeated"
            )
    counts = ", ".join(f"{tokens.name} {tokens.n_told_apart:,}" for tokens in planned.pools)
    run.note(f"Draws are matched: {len(planned.pools[0].ids)} tokens of every pool ({counts}), seed {run.seed}.")
    if not planned.n_places:
        run.note("The smallest pool is a single token: there is no control, and norms are left out.")
    elif planned.n_places < planned.n_repetitions:
        run.note(
            f"A control is {planned.n_places} different tokens, as many as the smallest pool has, and not "
            f"{planned.n_repetitions}; what repetition adds to attention is measured over as many copies."
        )
    if planned.n_places and layer is None:
        run.note("This model gives no hooks of its residual stream: norms are left out.")
    if layer is not None and not layer.stands_out:
        run.note(
            f"No layer gives position 0 a norm that stands out ({layer.factor:.2f} times that of other tokens at most, "
            f"in layer {layer.number}; {STANDS_OUT:g} are needed): a first token can't be told by its norm, nor a copy "
            "that is taken for one."
        )


def _records(
    run: Run[RepeatOneTokenConfig], answer: Answer, said: Mapping[int, tuple[int, ...]]
) -> Iterable[dict[str, Any]]:
    """One for every token, in ascending order."""
    data, going_on = answer.data, answer.going_on
    values = {quantity.name: quantity.of(answer) for quantity in QUANTITIES}
    looks_first_at = answer.norms.looks_first_at if answer.norms is not None and answer.can_look_first else None
    for row, token in enumerate(data.tokens.ids.tolist()):
        fails_at = int(going_on.fails_at[row])
        instead = int(data.likeliest[row, fails_at - 1]) if fails_at else None
        yield {
            "item": f"{data.name}/token/{token}",
            "pool": data.name,
            "token": token,
            "shown": run.shown(token),
            "special": token in run.facts.special_ids,
            "n_coinciding": len(said.get(token, (token,))),
            "starts": int(going_on.starts[row]) or None,
            "diverges": int(going_on.diverges[row]) or None,
            "lasted": int(going_on.lasted[row]),
            "rank_end": int(data.rank[row, -1]),
            "instead": instead,
            "instead_shown": None if instead is None else run.shown(instead),
            "looks_first_at": None if looks_first_at is None else int(looks_first_at[row]) or None,
            **{name: None if np.isnan(items[row]) else float(items[row]) for name, items in values.items()},
        }


def _details(
    run: Run[RepeatOneTokenConfig], planned: Plan, layer: FirstTokenLayer | None, has_attention: bool
) -> dict[str, Any]:
    return {
        "length": planned.n_repetitions + planned.first,
        "n_repetitions": planned.n_repetitions,
        "n_places": planned.n_places,
        "has_bos": planned.bos_id is not None,
        "has_attention": has_attention,
        "first_token": None
        if layer is None
        else {"layer": layer.number, "factor": layer.factor, "stands_out": layer.stands_out},
        "pools": {tokens.name: _pool_details(run, tokens) for tokens in planned.pools},
        "comparisons": [{"a": a.name, "b": b.name} for a, b in combinations(planned.pools, 2)],
        "intervals": intervals(),
    }


def _pool_details(run: Run[RepeatOneTokenConfig], tokens: PoolTokens) -> dict[str, Any]:
    pool = run.pools[tokens.name]
    ids = tokens.ids.tolist()[:_IDS_IN_DETAILS]
    return {
        "spec": pool.spec,
        "label": pool.label,
        "is_proxy": pool.is_proxy,
        "n_ids": len(pool.ids),
        "n_usable": tokens.n_usable,
        "n_told_apart": tokens.n_told_apart,
        "n_special": len(set(tokens.ids.tolist()) & run.facts.special_ids),
        "ids": ids,
        "shown": [run.shown(token) for token in ids],
        "notes": list(pool.notes),
    }
