"""What repeat_tokens stored, read back under the names its pictures and tables use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.repeat_tokens.quantities import QUANTITIES, Quantity, Shown, shown_in
from harness.reporting.figures.families import pool_title
from harness.reporting.pools import pools_shown
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import visible

HALVES = ("logprob_first_half", "logprob_second_half")
SCORES = {"induction": "induction", "prev_token": "previous token", "duplicate_token": "duplicate token"}
"""Head scores as they are called in details.json and in a picture."""


@dataclass(frozen=True)
class Measured:
    """A mean from metrics.json with its interval, and the published value where the run's config holds one."""

    mean: float | None
    low: float | None
    high: float | None
    published: float | None

    @property
    def interval(self) -> tuple[float | None, float | None, float | None]:
        """(mean, low, high)."""
        return self.mean, self.low, self.high


@dataclass(frozen=True)
class Top:
    """A head whose patterns were kept; `row` is its place in example/pattern, `layer_row` in the head arrays."""

    label: str
    row: int
    layer_row: int
    head: int


def pool_label(run: StoredRun, pool: str) -> str:
    """A pool with what it is made of."""
    words, title = pool_words(run, pool), pool_title(pool)
    # A pool named by its doses says them already.
    return f"{pool} ({words})" if words and title == pool else title


def tokens_of(run: StoredRun) -> pd.DataFrame:
    """One row per token of every pool that was drawn, as recorded; empty in runs of older versions."""
    records = run.records
    return records[records["token"].notna()] if "token" in records else records.iloc[:0]


def told_apart(tokens: pd.DataFrame) -> pd.DataFrame:
    """One row for every token that the model can tell from others: means over all appearances of a coinciding set.

    Columns `pool`, `shown`, `copy_effect`; empty where there is no control.
    """
    if tokens.empty or tokens["copy_effect"].isna().all():
        return tokens.iloc[:0]
    known = tokens[tokens["copy_effect"].notna()].copy()
    known["unit"] = known["same_as"].fillna(known["token"]).astype(int)
    known["total"] = known["copy_effect"] * known["n_appearances"]
    sets = known.groupby(["pool", "unit"], sort=False)
    found = sets.agg(
        shown=("shown", "first"), ids=("token", "size"), total=("total", "sum"), n=("n_appearances", "sum")
    ).reset_index()
    found["copy_effect"] = found["total"] / found["n"]
    several = found["ids"] > 1
    found.loc[several, "shown"] = found["shown"] + " and " + (found["ids"] - 1).astype(str) + " more"
    return found[["pool", "shown", "copy_effect"]]


def pool_words(run: StoredRun, pool: str) -> str:
    """What a pool is made of, in a few words: a slice as it was requested, a rule by what it selected."""
    facts = run.details["pools"][pool]
    spec, label = facts.get("spec", ""), str(facts.get("label", ""))
    if facts.get("is_proxy"):
        # The label of a proxy is a sentence; its first part says enough beside a curve.
        return f"{label.split(' among ')[0]}, a proxy"
    kind, _, counts = label.partition(", ")
    if rule_of(run, pool) == kind:
        # Beside a pool's name there is little room, and natural or planted said once is enough.
        counts = counts.removesuffix(" in training").removeprefix("shown ")
        label = counts if kind in pool else f"{kind}, {counts}"
    # Where several rules had to join, the surest of them is named; table and notes name all.
    first, *others = label.split("; ")
    label = f"{first} and others" if others else first
    is_slice = isinstance(spec, str) and spec.replace(":", "").strip().isdigit()
    return spec_text(spec) if is_slice or not label else label


def rule_of(run: StoredRun, pool: str) -> str:
    """The rule that a pool is given by, without its bounds; of a slice its first id."""
    return spec_text(run.details["pools"][pool].get("spec", "")).partition(":")[0]


def exposures_of(run: StoredRun, pool: str) -> Mapping[str, float | int] | None:
    """How often training showed the tokens measured: `mean`, `low`, `high` and means by stream; None if unknown."""
    found: Mapping[str, float | int] | None = run.details["pools"][pool].get("exposures")
    return found


def spec_text(spec: Any) -> str:
    """A pool's spec as one string."""
    return "[" + ",".join(str(item) for item in spec) + "]" if isinstance(spec, list | tuple) else str(spec)


def is_controlled(run: StoredRun) -> bool:
    """Whether every second half was also seen after another first half; runs of older versions were not."""
    return run.details.get("draws", "replacement") != "replacement"


def pictured(run: StoredRun) -> list[Quantity]:
    """The quantities that a picture of copying shows: without a control the copy gain stands for the copy effect."""
    return without_control(shown_in(Shown.PICTURE)) if not is_controlled(run) else list(shown_in(Shown.PICTURE))


def without_control(drawn: Sequence[Quantity]) -> list[Quantity]:
    """The copy gain, and of the quantities those that need no control."""
    gain = next(quantity for quantity in QUANTITIES if quantity.name == "copy_gain")
    return [gain, *(quantity for quantity in drawn if not quantity.needs_control)]


def warning(run: StoredRun) -> str | None:
    """What makes a difference between the pools of this run no fair comparison; None where nothing does."""
    if run.details.get("is_matched", True):
        return None
    counts = ", ".join(f"{run.details['pools'][pool]['n_in_half']} of {pool}" for pool in pools_shown(run))
    return f"the pools are not matched: a half holds {counts}"


def seq_len(run: StoredRun) -> int:
    """Length of one half."""
    return int(run.details["seq_len"])


def measured(run: StoredRun, pool: str, name: str) -> Measured:
    """One metric of one pool."""
    key = f"{pool}/{name}"
    return Measured(*run.interval(key), published=published(run).get(key))


def published(run: StoredRun) -> Mapping[str, float]:
    """Published figures of these pools, with the copy gain that follows from the two halves.

    A config that was composed holds only those of pools that are the published ones.
    """
    reference = run.config.get("reference") or {}
    known = {key: float(value) for key, value in (reference.get("metrics") or {}).items()}
    for pool in pools_shown(run):
        first, second = (known.get(f"{pool}/{half}") for half in HALVES)
        if first is not None and second is not None:
            known.setdefault(f"{pool}/copy_gain", second - first)
    return known


def published_name(run: StoredRun) -> str:
    """`published for GPT-2 small`: whose figures they are, since the run may be of another model."""
    condition = str((run.config.get("reference") or {}).get("condition", ""))
    model = condition.split(",")[0].strip()
    return f"published for {model}" if model else "published"


def position(run: StoredRun, pool: str, name: str) -> np.ndarray | None:
    """One curve over positions 0..2*seq_len-1."""
    return run.arrays.get(f"{pool}/position/{name}")


def has_heads(run: StoredRun) -> bool:
    """Whether the model has attention patterns to speak of."""
    return bool(run.details.get("heads", {}).get("applicable"))


def by_offset(run: StoredRun, pool: str) -> np.ndarray | None:
    """Mean attention [layer, head, offset] of one pool."""
    return run.arrays.get(f"{pool}/heads/attention_by_offset") if has_heads(run) else None


def score_offset(run: StoredRun, score: str) -> int:
    """How many tokens back the attention counted by a score lies."""
    return {"induction": seq_len(run) - 1, "prev_token": 1, "duplicate_token": seq_len(run)}[score]


def layers(run: StoredRun) -> Sequence[int]:
    """Numbers, in the model, of the layers that have attention."""
    return [int(layer) for layer in run.details["heads"]["layers"]]


def top_heads(run: StoredRun) -> list[Top]:
    """The heads whose patterns were kept, strongest first."""
    if not has_heads(run):
        return []
    rows = {layer: row for row, layer in enumerate(layers(run))}
    kept = run.details["heads"]["top"]
    return [Top(str(h["label"]), row, rows[int(h["layer"])], int(h["head"])) for row, h in enumerate(kept)]


def previous_labels(run: StoredRun) -> tuple[str, ...]:
    """Labels of the previous-token heads, whose patterns follow the top heads'; none in runs stored before."""
    return tuple(str(head["label"]) for head in run.details["heads"].get("previous", []))


def example_tokens(run: StoredRun, pool: str) -> tuple[str, ...]:
    """Token strings, BOS included, of the sequence whose patterns were kept."""
    return tuple(visible(str(token)) for token in run.details["examples"][pool]["tokens_shown"])
