"""What path_star stored, read back under the names its pictures and tables use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.path_star.graphs import parse_graph
from harness.path_star.recipe import Architecture
from harness.path_star.ways.roster import find
from harness.path_star.ways.way import Way
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

ARCHITECTURES = {
    Architecture.GPT2: "GPT-2",
    Architecture.GPT_NEOX: "GPT-NeoX",
    Architecture.MAMBA: "Mamba",
    Architecture.PRETRAINED: "fine-tuned",
}


class Share(NamedTuple):
    """A share of graphs from metrics.json with its interval; all None where it was not measured."""

    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class CheatTest:
    """One test of the cheat: its metric, what a reader calls it, and why it has no value where it has none."""

    metric: str
    label: str
    absent: str
    has_chance: bool = False
    """Whether the answer is one of the arms, so that a guess among them is right 1/d of the time."""


def share(run: StoredRun, name: str) -> Share:
    """One share of a run."""
    return Share(*run.interval(name))


def way(run: StoredRun) -> type[Way]:
    """How the model was trained and answers."""
    return find(run.details["objective"])


def graph(run: StoredRun) -> tuple[int, int]:
    """(d, l)."""
    return parse_graph(str(run.config["exp"]["graph"]))


def nodes(run: StoredRun) -> tuple[str, ...]:
    """Names of the answer's nodes, in the order in which they are written."""
    return way(run).node_names(graph(run)[1])


def plans_backwards(run: StoredRun) -> bool:
    """Whether the path is first written from goal to start. Heads were watched where it is first written."""
    return way(run).planning().is_reversed


def watched_nodes(run: StoredRun) -> tuple[str, ...]:
    """Names of the nodes whose prediction the heads were watched at, in the order in which they are written."""
    return way(run).planning().node_names(graph(run)[1])


def chance(run: StoredRun) -> float:
    """1/d."""
    return float(run.metrics["chance"])


def n_test(run: StoredRun) -> int:
    """Held-out graphs that the model answered."""
    return int(run.details["n_test"])


def model_label(run: StoredRun) -> str:
    """The model in a few words: `GPT-2 3×128`, `gpt2-large, fine-tuned`, `GPT-2, checkpoint NAME`."""
    exp = run.config["exp"]
    name = ARCHITECTURES[Architecture(run.details["architecture"])]
    if exp.get("checkpoint"):
        # Size and training are the checkpoint's own; the config of this run does not hold them.
        return f"{name}, checkpoint {last_part(exp['checkpoint'])}"
    if exp.get("pretrained"):
        return f"{last_part(exp['pretrained'])}, {name}"
    return f"{name} {exp['n_layers']}×{exp['d_model']}"


def last_part(path: object) -> str:
    """The last part of a folder or of a hub name."""
    return visible(str(path).rstrip("/").rsplit("/", 1)[-1])


def title(run: StoredRun) -> str:
    """Which run a picture is of, on one line."""
    steps = run.details.get("training", {}).get("steps")
    parts = [run.details["task"], way(run).label, model_label(run)]
    return ", ".join([*parts, f"{steps} steps"] if steps is not None else parts)


def cheat_tests(kind: type[Way]) -> tuple[CheatTest, ...]:
    """The tests of the cheat in the order in which they are read, in the words of this way of answering."""
    second, end = ("node before the goal", "start") if kind.is_reversed else ("first step", "leaf")
    true_end = "start" if kind.is_reversed else "asked goal"
    unread = "does not apply: the model reads no answer"
    found = [
        CheatTest("position_2/teacher_forced", f"{second} right", "not measured", has_chance=True),
        CheatTest("first_step/on_an_arm", f"{second} is on some arm", "not measured"),
        CheatTest("clever_hans/first_only", f"{second} right, trained on it alone", "no such model was trained", True),
        CheatTest("clever_hans/given_first", f"{second} given: the rest right", unread),
        CheatTest(
            "clever_hans/wrong_first_inner",
            f"wrong arm given: walks it, all but its {end}",
            f"does not apply: nothing between it and the {end}" if kind.reads_answer else unread,
        ),
        CheatTest("clever_hans/wrong_first_followed", f"wrong arm given: walks it to its {end}", unread),
        CheatTest("clever_hans/wrong_first_ends_at_goal", f"wrong arm given: ends at the {true_end}", unread),
    ]
    # A reversed answer starts next to the goal, which has one neighbour: "on an arm" is the same test as "right".
    return tuple(test for test in found if not (kind.is_reversed and test.metric == "first_step/on_an_arm"))


def has_heads(run: StoredRun) -> bool:
    """Whether the model has attention patterns."""
    return bool(run.details.get("heads", {}).get("applicable"))


def layers(run: StoredRun) -> Sequence[int]:
    """Numbers, in the model, of the layers that have attention."""
    return [int(layer) for layer in run.details["heads"]["layers"]]


def lookup(run: StoredRun, end: str) -> np.ndarray:
    """Attention [layer, head, node] to the `parent` or `child` of the edge; nodes from the second on."""
    return run.arrays[f"edge_lookup/{end}"]


def has_knock_out(run: StoredRun) -> bool:
    """Whether heads were taken out."""
    return "knock_out/right" in run.arrays


def knock_out_cost(run: StoredRun) -> np.ndarray:
    """Share right that is lost without each head [layer, head, node]; nodes from the second on."""
    lost: np.ndarray = run.arrays["knock_out/intact"] - run.arrays["knock_out/right"]
    return lost[..., 1:]


def top_heads(run: StoredRun) -> tuple[str, ...]:
    """Labels of the heads whose patterns were kept, in the order of example/pattern: strongest first."""
    return tuple(str(head["label"]) for head in run.details["heads"]["top"]) if has_heads(run) else ()


def example_tokens(run: StoredRun) -> tuple[str, ...]:
    """What the model read of the example, as shown."""
    return tuple(visible(str(token)) for token in run.details["example"]["tokens"])


def right_edges(run: StoredRun) -> list[tuple[int, int]]:
    """Keys of parent and child of the edge that leads to each node of the example's answer, from the second on."""
    tokens = run.details["example"]["tokens"]
    return [(_parent_of(tokens, child), child) for child in run.details["example"]["edges"]]


def _parent_of(tokens: Sequence[str], child: int) -> int:
    """As text an edge is `parent,child`, a node of one or more tokens; as numerals its two nodes are neighbours."""
    comma = next((at for at in range(child, max(child - 8, 0), -1) if str(tokens[at]).strip() == ","), None)
    return child - 1 if comma is None else comma - 1
