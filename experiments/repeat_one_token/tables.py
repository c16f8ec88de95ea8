"""Tables of one repeat_one_token run, from its stored files."""

import pandas as pd

from experiments.repeat_one_token.quantities import QUANTITIES
from harness.measure.compare import least_p_value
from harness.reporting.display import Table
from harness.reporting.figures.tables import interval_columns, with_floors
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible


def pools(run: StoredRun) -> pd.DataFrame:
    """Every mean of every pool with its interval."""
    labels = [("goes_on_median", "copies it goes on for, median of those that started")]
    labels += [(quantity.name, quantity.label) for quantity in QUANTITIES]
    rows = [
        {
            "measure": label,
            "pool": pool,
            **interval_columns("mean", run.interval(f"{pool}/{name}")),
            "tokens": run.metrics[f"{pool}/n_started" if name == "goes_on_median" else f"{pool}/n_tokens"],
        }
        for name, label in labels
        for pool in pools_shown(run)
        if run.metrics.get(f"{pool}/{name}") is not None
    ]
    return pd.DataFrame(rows)


def comparisons(run: StoredRun) -> pd.DataFrame:
    """The difference between every two pools."""
    rows = []
    for pair in run.details["comparisons"]:
        for quantity in QUANTITIES:
            key = f"compare/{pair['a']}_vs_{pair['b']}/{quantity.name}_diff"
            if key in run.metrics:
                rows.append(
                    {
                        "comparison": f"{pair['a']} − {pair['b']}",
                        "measure": quantity.label,
                        **interval_columns("difference", run.interval(key)),
                        "p": run.metrics[f"{key}/p_value"],
                    }
                )
    return with_floors(pd.DataFrame(rows), {"p": least_p_value()})


def tokens(run: StoredRun) -> pd.DataFrame:
    """Every token, those that fail first."""
    rows = [
        {
            "pool": row["pool"],
            "id": row["token"],
            "token": visible(str(row["shown"])) + (" (special)" if row["special"] else ""),
            "starts": row["starts"],
            "diverges": row["diverges"],
            "goes on for": row["lasted"],
            "instead": None if row["instead"] is None else visible(str(row["instead_shown"])),
            "share likeliest": row["top1_share"],
            "log-prob": row["logprob"],
            "rank at the end": row["rank_end"],
            "coinciding tokens": row["n_coinciding"] if row["n_coinciding"] > 1 else None,
            "attention to the first copy": row["attention_first"],
            "norm": row["norm"],
            "norm, control": row["norm_control"],
            "looks first at": row["looks_first_at"],
        }
        for row in run.record_rows()
    ]
    order = {pool: place for place, pool in enumerate(pools_shown(run))}
    rows.sort(key=lambda row: (order[row["pool"]], row["goes on for"], row["log-prob"]))
    whole = ("starts", "diverges", "coinciding tokens", "looks first at")
    frame = pd.DataFrame(rows)
    return frame.astype({name: "Int64" for name in whole}).dropna(axis="columns", how="all")


TABLES = (
    Table(
        "pools",
        "Means over each pool's tokens with 95 % intervals (shares: Wilson; others: percentile bootstrap over tokens; "
        "copies it goes on for: Kaplan-Meier). Attention is from copies after the first, mean over heads and layers; "
        "norms are of the residual stream, over that at position 0, in the layer where position 0 stands out most.",
        pools,
    ),
    Table(
        "comparisons",
        "Differences between pools with 95 % intervals (Newcombe; percentile bootstrap) and p-values from permuted "
        "tokens.",
        comparisons,
    ),
    Table(
        "tokens",
        "Every token: after how many copies it becomes the likeliest continuation (starts), after how many it no "
        "longer is (diverges; empty: not to the end of the context), and what is likelier there.",
        tokens,
    ),
)
