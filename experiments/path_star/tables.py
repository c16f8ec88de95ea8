"""Tables of one path_star run, from its stored files."""

from typing import TYPE_CHECKING, Any

from experiments.path_star import data as data
from harness.path_star.recipe import ObjectiveName
from harness.runs.registry import Table

if TYPE_CHECKING:
    import pandas as pd

    from harness.runs.results.stored_run import StoredRun


def with_ends(column: str, value: data.Share) -> dict[str, float | None]:
    """A share as the three columns that a table folds into one."""
    from harness.reporting.figures.tables import HIGH, LOW

    return {column: value.mean, f"{column}{LOW}": value.low, f"{column}{HIGH}": value.high}


def positions(run: "StoredRun") -> "pd.DataFrame":
    """The whole answer and each of its nodes, generated and with the truth before it."""
    import pandas as pd

    whole = data.share(run, "exact_match")
    nothing = data.Share(None, None, None)
    rows: list[dict[str, Any]] = [
        {
            "answer": "whole",
            "node": "all right",
            **with_ends("generated", whole),
            **with_ends("teacher-forced", nothing),
        }
    ]
    for number, name in enumerate(data.nodes(run), start=1):
        generated, forced = (data.share(run, f"position_{number}/{how}") for how in ("generated", "teacher_forced"))
        rows.append(
            {
                "answer": f"node {number}", "node": name,
                **with_ends("generated", generated), **with_ends("teacher-forced", forced),
            }
        )  # fmt: skip
    frame = pd.DataFrame(rows)
    frame["graphs"] = data.n_test(run)
    return frame


def clever_hans(run: "StoredRun") -> "pd.DataFrame":
    """Every test of the cheat; one without a value says why."""
    import pandas as pd

    rows = []
    for test in data.cheat_tests(data.objective(run)):
        value = data.share(run, test.metric)
        rows.append(
            {
                "test": test.label,
                **with_ends("share of graphs", value),
                "graphs": data.n_test(run) if value.mean is not None else None,
                "chance": data.chance(run) if test.has_chance else None,
                "remark": "" if value.mean is not None else test.absent,
            }
        )
    frame = pd.DataFrame(rows).astype({"graphs": "Int64"})
    return frame if frame["remark"].any() else frame.drop(columns="remark")


def models(run: "StoredRun") -> "pd.DataFrame":
    """The models that were asked, and the runs that trained them."""
    import pandas as pd

    kind = data.objective(run)
    rows = []
    for facts, trained_on in (("training", kind.label), ("first_only", ObjectiveName.FIRST_ONLY.label)):
        training = run.details.get(facts) or {}
        if training:
            rows.append(
                {
                    "model": data.model_label(run),
                    "trained on": trained_on,
                    "training run": f"train_path_star/{training['run_id']}",
                    "steps": training["steps"],
                    "ended as solved": "yes" if training["is_solved"] else "no",
                    "parameters": training["n_parameters"],
                }
            )
        elif facts == "training":
            rows.append({"model": data.model_label(run), "trained on": trained_on, "training run": "before this run"})
    return pd.DataFrame(rows)


def edge_lookup(run: "StoredRun") -> "pd.DataFrame | None":
    """For every predicted node the head that looks most at the edge which leads to it."""
    import pandas as pd

    if not data.has_heads(run):
        return None
    parent, child = data.lookup(run, "parent"), data.lookup(run, "child")
    cost = data.knock_out_cost(run) if data.has_knock_out(run) else None
    uniform = run.arrays["edge_lookup/uniform"]
    rows = []
    for column, name in enumerate(data.watched_nodes(run)[1:]):
        both = parent[..., column] + child[..., column]
        row, head = divmod(int(both.argmax()), both.shape[1])
        needed = {}
        if cost is not None:
            at, which = divmod(int(cost[..., column].argmax()), cost.shape[1])
            needed = {
                "lost without it": float(cost[row, head, column]),
                "most needed head": f"{data.layers(run)[at]}.{which}",
                "lost without that": float(cost[at, which, column]),
            }
        rows.append(
            {
                "predicted node": name,
                "head": f"{data.layers(run)[row]}.{head}",
                "on the edge": float(both[row, head]),
                "on its parent": float(parent[row, head, column]),
                "on its child": float(child[row, head, column]),
                "equal attention, two tokens": 2 * float(uniform[column]),
                **needed,
            }
        )
    return pd.DataFrame(rows)


TABLES = (
    Table(
        "positions",
        "Share of held-out graphs with each node of the answer right, in the order in which the model writes it, with "
        "95 % Wilson intervals: generated by the model itself, and with the truth before it (teacher-forced).",
        positions,
    ),
    Table(
        "clever_hans",
        "Tests of the cheat, shares of held-out graphs with 95 % Wilson intervals. Given: the model's answer is begun "
        "for it, with the right node or with that of a wrong arm.",
        clever_hans,
    ),
    Table(
        "edge_lookup",
        "The head that attends most, on average over graphs, to the listed edge between a predicted node and the one "
        "written before it, from where the node is predicted.",
        edge_lookup,
    ),
    Table("models", "What was asked. A training is a run of its own, with a report and a training curve.", models),
)
