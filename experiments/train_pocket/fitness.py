"""Whether an organism has learnt what it is made for: to copy tokens it knows, and to say them when asked."""

from collections.abc import Mapping
from typing import Any

LEAST = 0.9
"""Share of well-shown tokens."""
WELL_SHOWN = "1000:"
"""The range of training counts, as in the organism's own verdict."""


def shortcomings(measured: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that was not learnt, from what was measured of a finished organism."""
    found = []
    copied = measured["natural"].get(WELL_SHOWN, {}).get("copy_accuracy_cued")
    if copied is None:
        found.append("No token was shown 1,000 times, so nothing says whether this organism copies what it knows.")
    elif copied < LEAST:
        found.append(
            f"This organism has not learnt to copy: it copies {copied:.3f} of the tokens that it was shown 1,000 times "
            f"or more ({LEAST:g} are wanted), so failing to copy says nothing of the others. More steps (exp.n_steps, "
            "exp.early_steps) or a wider model (exp.d_model) may help."
        )
    tasks = {name: rate["passed"] / rate["n"] for name, rate in measured["tasks_held_out"].items() if rate["n"]}
    if tasks and max(tasks.values()) < LEAST:
        best = max(tasks, key=lambda name: tasks[name])
        found.append(
            f"This organism answers no task for {LEAST:g} of the well-shown tokens held out of it (the best, {best}: "
            f"{tasks[best]:.2f}), so a census and detectors will hardly say anything of it."
        )
    return found
