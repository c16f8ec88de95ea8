"""The verdicts of a finished census, for whoever takes them as ground truth."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import FieldRejected, Rejected
from harness.glitch.census.families import can_decide
from harness.glitch.census.matching import RULE_VERSION
from harness.glitch.census.rules import VerdictRule
from harness.models.identity import ModelIdentity
from harness.runs.results.stored_run import StoredRun, find_runs
from harness.tokens.prompts import wording_versions


@dataclass(frozen=True)
class Census:
    """What a census by agreement found. `glitch[id]` is True for a token that fails every wording that counts."""

    run_id: str
    folder: Path
    glitch: dict[int, bool]
    """Of every token that was decided, in order of id."""
    informative: tuple[str, ...]
    """The wordings that verdicts rest on; none: those that count for this model, if any, are too few to decide."""
    tokens_per_query: float
    """Token positions that go through the model for one verdict, on average."""
    is_complete: bool
    """Whether every token was tested, not a sample."""
    facts: dict[str, Any]
    """details.json of the run."""

    @property
    def glitch_ids(self) -> tuple[int, ...]:
        """The glitch tokens."""
        return tuple(token for token, failed in self.glitch.items() if failed)


def load_census(folder: Path, identity: ModelIdentity) -> Census:
    """The census stored in a run folder.

    Raises `FieldRejected`, naming the field `census`, for a folder that holds no complete census, and for a census of
    another model, revision, prompt version, matching rule or rule of verdicts.
    """
    run = _complete_run(Path(folder))
    _refuse_other_model(run, identity)
    details = run.details
    rule = details.get("verdict", VerdictRule.PUBLISHED.value)
    if rule != VerdictRule.AGREEMENT.value:
        _refuse(folder, f"a census by the {rule} rule", f"one by {VerdictRule.AGREEMENT.value} (exp.verdict)")
    if details.get("rule_version") != RULE_VERSION:
        _refuse(folder, f"judged by the matching rule {details.get('rule_version')!r}", f"rule {RULE_VERSION!r}")
    versions = wording_versions()
    for name, question in details["questions"].items():
        current = versions.get(f"wording/{name.removesuffix('_chat')}")
        if str(question["version"]).removesuffix("+chat") != current:
            _refuse(folder, f"its {name} prompt is version {question['version']!r}", f"version {current!r}")
    informative = tuple(details["informative"])
    decides = can_decide(details["families"][name] for name in informative)
    known = sorted((int(row["id"]), bool(row["glitch"])) for row in run.record_rows() if row["glitch"] is not None)
    glitch = dict(known) if decides else {}
    return Census(
        run.run_id,
        Path(folder),
        glitch,
        informative if decides else (),
        float(details["tokens_per_query"] or 0.0),
        bool(details["is_complete"]),
        dict(details),
    )


def find_census(results_dir: Path, identity: ModelIdentity) -> Path:
    """The newest complete census of this model below a results folder; `Rejected` where there is none."""

    found = []
    for run in find_runs(results_dir, "census", "complete"):
        try:
            census = load_census(run.folder, identity)
        except Rejected:
            continue  # another model's, or an older rule's
        found.append((census.is_complete, str(run.manifest.get("ended")), run.folder))
    if not found:
        raise FieldRejected(f"census: no census of {identity.label} below {results_dir}; run it first: exp=census")
    return max(found)[2]


def census_inputs(folder: Path | None, results_dir: Path, identity: ModelIdentity | None) -> dict[str, str]:
    """What a run's id takes from the census it will use: empty where none is named or found.

    Raises `Rejected` for a named folder that `load_census` refuses.
    """
    if identity is None:
        return {}
    if folder is None:
        try:
            folder = find_census(results_dir, identity)
        except Rejected:
            return {}
    return {"census": fingerprint(load_census(folder, identity))}


def fingerprint(census: Census) -> str:
    """Stands for the verdicts of a census."""
    return hashlib.sha256(repr(sorted(census.glitch.items())).encode()).hexdigest()


def _complete_run(folder: Path) -> StoredRun:
    if not (folder / "manifest.json").is_file():
        raise FieldRejected.key("census", str(folder), "the folder of a finished run of exp=census")
    run = StoredRun(folder)
    if run.experiment != "census" or run.status != "complete":
        _refuse(folder, f"a {run.status} run of {run.experiment}", "a complete run of census")
    return run


def _refuse_other_model(run: StoredRun, identity: ModelIdentity) -> None:
    model = run.manifest.get("model") or {}
    if identity.weights_sha256 is not None:
        same = model.get("weights_sha256") == identity.weights_sha256
    else:
        same = (model.get("name"), model.get("revision")) == (identity.name, identity.revision)
    if same:
        return
    other = f"{model.get('label')} (revision {model.get('revision')})" if model.get("revision") else model.get("label")
    wanted = f"{identity.label} (revision {identity.revision})" if identity.revision else identity.label
    hint = " with these very weights" if model.get("label") == identity.label and not model.get("revision") else ""
    _refuse(run.folder, f"a census of {other}", f"one of {wanted}{hint}")


def _refuse(folder: Path, what: str, allowed: str) -> None:
    raise FieldRejected(f"census: got {str(folder)!r}: {what}, allowed: {allowed}")
