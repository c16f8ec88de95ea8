"""repeat_tokens: what was measured of every single token."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from experiments.repeat_tokens.quantities import QUANTITIES, known_mean
from experiments.repeat_tokens.sequences import PoolData
from harness.measure.intervals import student_t

COLUMNS = (
    "copy_effect",
    "logit_diff",
    "order_effect",
    "copy_accuracy",
    "logprob_second_half",
    "logprob_control",
    "copy_gain",
)


def token_rows(
    data: PoolData, said: dict[int, tuple[int, ...]], special: frozenset[int], text_of: Callable[[int], str]
) -> Iterable[dict[str, Any]]:
    """One record per token of a pool that was drawn, lowest copy effect first: means over its appearances.

    Those at the second half's first position, which nothing announces, are left out. `copy_effect` has a Student t
    interval over the pairs of sequences in which the token stood.
    """
    wanted = {quantity.name: quantity.of(data) for quantity in QUANTITIES if quantity.name in COLUMNS}
    wanted["logprob_coinciding"] = data.own_only(data.coinciding)
    halves, units = data.drawn.halves, data.token_units
    counted = data.own.copy()
    counted[:, 0] = False
    rows = []
    for token in sorted(set(halves[counted].tolist())):
        here = (halves == token) & counted
        unit = int(units[here][0])
        means = {name: known_mean(values[here]) for name, values in wanted.items()}
        effects = wanted["copy_effect"][here]
        known = effects[~np.isnan(effects)]
        interval = student_t(known) if len(known) else None
        rows.append(
            {
                "item": f"{data.name}/token/{token}",
                "pool": data.name,
                "token": token,
                "shown": text_of(token),
                "special": token in special,
                "same_as": None if unit == token else unit,
                "n_coinciding": len(said.get(token, (token,))),
                "n_appearances": int(here.sum()),
                **means,
                "copy_effect_low": interval.low if interval else None,
                "copy_effect_high": interval.high if interval else None,
            }
        )
    return sorted(rows, key=lambda row: (row["copy_effect"] is None, row["copy_effect"], row["logprob_second_half"]))
