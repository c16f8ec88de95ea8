"""Another revision of a model: where its verdicts come from, and what changed between the two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.audit.config import AuditConfig
from experiments.audit.constituent_runs import census_config
from experiments.audit.other import KEY, find_other
from harness.errors import FieldRejected
from harness.glitch.census.families import can_decide
from harness.measure.compare import paired_difference
from harness.measure.intervals import wilson
from harness.pipeline import execute
from harness.runs.context import Run
from harness.runs.results.stored_run import StoredRun


@dataclass(frozen=True)
class Change:
    """What became of the tokens that both revisions were tested on."""

    name: str
    wordings: tuple[str, ...]
    """Those that count for both."""
    before: Mapping[int, bool]
    now: Mapping[int, bool]
    unmatched: int
    """Tokens with a verdict here and none of the same id and text there."""

    @property
    def became(self) -> list[int]:
        """Glitch tokens now that were none before."""
        return [i for i, glitch in self.now.items() if glitch and not self.before[i]]

    @property
    def repaired(self) -> list[int]:
        """Glitch tokens before that are none now."""
        return [i for i, glitch in self.now.items() if not glitch and self.before[i]]

    @property
    def both(self) -> int:
        """How many are glitch tokens in both."""
        return sum(glitch and self.before[i] for i, glitch in self.now.items())

    def metrics(self) -> dict[str, float | int | str | None]:
        """Counts, both shares and their difference with intervals; no share of no tokens."""
        n, both, became, repaired = len(self.now), self.both, len(self.became), len(self.repaired)
        found: dict[str, float | int | str | None] = {
            "compare/tokens": n,
            "compare/became_glitch": became,
            "compare/repaired": repaired,
            "compare/glitch_in_both": both,
            "compare/unmatched": self.unmatched,
        }
        if n:
            found |= dict(wilson(both + became, n).metrics("compare/glitch_rate_here"))
            found |= dict(wilson(both + repaired, n).metrics("compare/glitch_rate_there"))
            difference = paired_difference(both, became, repaired, n - both - became - repaired)
            found |= dict(difference.metrics("compare/difference"))
        return found

    def details(self) -> dict[str, Any]:
        """What the figures need."""
        became, repaired = len(self.became), len(self.repaired)
        return {
            "name": self.name,
            "wordings": list(self.wordings),
            "both": self.both,
            "became": became,
            "repaired": repaired,
            "neither": len(self.now) - self.both - became - repaired,
            "unmatched": self.unmatched,
        }


def compare(run: Run[AuditConfig], census: StoredRun) -> Change | None:
    """What changed against the other revision; None where there is none, or nothing can be compared.

    Raises `Rejected` for verdicts made by another matching rule or another version of a prompt.
    """
    other = find_other(run.config)
    if other is None:
        return None
    stored = other.stored
    if stored is None:
        with run.timer("compare"):
            stored = execute(census_config(run.config, other.model))
    _refuse_other_rules(census, stored)
    wordings = tuple(one for one in census.details["informative"] if one in stored.details["informative"])
    name = f"{stored.model} ({stored.experiment} {stored.run_id})"
    if not all(can_decide(one.details["families"][w] for w in one.details["informative"]) for one in (census, stored)):
        run.note(f"Nothing to compare with {name}: wordings of too few families count for one of them.")
        return None
    if set(wordings) != {*census.details["informative"], *stored.details["informative"]}:
        common = ", ".join(wordings) or "none"
        run.note(
            f"The verdicts rest on wordings that do not all count for both ({common} do): a token may change its "
            "verdict because another wording was asked."
        )
    here, there = _verdicts(census), _verdicts(stored)
    shared = [key for key in here if key in there]
    change = Change(
        name,
        wordings,
        {key[0]: there[key] for key in shared},
        {key[0]: here[key] for key in shared},
        len(here) - len(shared),
    )
    _say(run, change, _changed_prompts(census, stored, wordings))
    return change


def _verdicts(stored: StoredRun) -> dict[tuple[int, str], bool]:
    """Whether a token is a glitch token, by id and text; of every token that was decided."""
    rows = stored.records.to_dict("records")
    return {
        (int(row["id"]), str(row["token"])): bool(row["glitch"])
        for row in rows
        if row["glitch"] is not None and row["glitch"] == row["glitch"]
    }


def _refuse_other_rules(here: StoredRun, there: StoredRun) -> None:
    rule, wanted_rule = there.details.get("verdict", "published"), here.details["verdict"]
    if rule != wanted_rule:
        raise FieldRejected(f"{KEY}: {there.run_id} holds verdicts by the {rule} rule, this one by {wanted_rule}")
    got, wanted = there.details.get("rule_version"), here.details["rule_version"]
    if got != wanted:
        raise FieldRejected(f"{KEY}: {there.run_id} was judged by the matching rule {got!r}, this one by {wanted!r}")
    for name, question in here.details["questions"].items():
        if name not in there.details["questions"]:
            continue  # a chat template on one side
        versions = [there.details["questions"][name]["version"], question["version"]]
        if versions[0] != versions[1]:
            raise FieldRejected(
                f"{KEY}: {there.run_id} was asked version {versions[0]} of {name}, this one {versions[1]}"
            )


def _changed_prompts(here: StoredRun, there: StoredRun, wordings: Sequence[str]) -> list[str]:
    """Wordings asked in other words on both sides; copying has none."""
    asked, other = here.details["questions"], there.details["questions"]
    return [name for name in wordings if name in asked and asked[name]["text"] != other[name]["text"]]


def _say(run: Run[AuditConfig], change: Change, changed: Sequence[str]) -> None:
    if changed:
        run.note(f"The prompts of {', '.join(changed)} are not the same in both (another chat template).")
    if change.unmatched:
        run.note(f"{change.unmatched} tokens have no counterpart of the same id and text in {change.name}.")
    if not change.now:
        run.note(f"Nothing to compare with {change.name}: the two share no token with a verdict.")
    elif not change.became and not change.repaired:
        run.note(f"No token changed its verdict against {change.name}.")
