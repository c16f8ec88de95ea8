"""One list of all tokens with what each look at them found, the reasons, and the gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from experiments.audit.config import AuditConfig
from experiments.audit.constituent_runs import census_config, undertrained_config
from experiments.audit.revisions import Change, compare
from harness.measure.intervals import wilson
from harness.pipeline import execute
from harness.runs.context import Outcome, Run
from harness.runs.results.stored_run import StoredRun
from harness.tokens.text import shown
from harness.tokens.vocabulary_audit import AuditedToken, Category, VocabularyAudit, audit_vocabulary

GATE_EXCEEDED = 3
Metrics = dict[str, float | int | str | None]


class Reason(Enum):
    """Why a token is listed."""

    GLITCH = "glitch"
    UNDERTRAINED = "undertrained"
    UNTRAINED_ROW = "untrained_row"
    UNREACHABLE = "unreachable"
    NO_TOKEN = "no_token"


@dataclass(frozen=True)
class Findings:
    """What is known of every token, before reasons are drawn from it."""

    vocabulary_audit: VocabularyAudit
    undertrained: StoredRun
    census: StoredRun
    change: Change | None

    @property
    def ranking(self) -> np.ndarray:
        """The main indicator of every row; low is suspicious."""
        values: np.ndarray = self.undertrained.arrays[f"indicator/{self.undertrained.details['main_indicator']}"]
        return values

    @property
    def can_verify(self) -> bool:
        """Whether the verification means anything for this model."""
        return bool(self.undertrained.metrics["informative"])


def measure(run: Run[AuditConfig]) -> Outcome:
    """The parts, the list, the gate."""
    with run.timer("vocabulary"):
        vocabulary_audit = audit_vocabulary(run.tokenizer, run.facts.d_vocab)
    with run.timer("undertrained"):
        undertrained = execute(undertrained_config(run.config))
    with run.timer("census"):
        census = execute(census_config(run.config))
    for part in (undertrained, census):
        for note in part.notes:
            say = run.warn if note in part.warnings else run.note
            say(f"{part.experiment}: {note}")
    findings = Findings(vocabulary_audit, undertrained, census, compare(run, census))
    rows = _rows(run, findings)
    run.records.append(rows)
    metrics = _metrics(findings, rows)
    gate = _gate(run, metrics)
    metrics |= {"gate/max_glitch_rate": run.exp.max_glitch_rate, "gate/passed": gate["passed"]}
    return Outcome(metrics, _arrays(findings), _details(findings, gate), 0 if gate["passed"] != 0 else GATE_EXCEEDED)


def _rows(run: Run[AuditConfig], findings: Findings) -> list[dict[str, Any]]:
    ranking = findings.ranking
    rank = np.empty(len(ranking), dtype=np.int64)
    rank[np.argsort(ranking, kind="stable")] = np.arange(1, len(ranking) + 1)
    verified = _by_id(findings.undertrained)
    answered = _by_id(findings.census)
    low = {row["id"] for rows in findings.undertrained.details["low"].values() for row in rows if row["below"]}
    counts = run.facts.exposures.total if run.facts.exposures is not None else None
    names = findings.census.details["informative"]
    rows = []
    for token in findings.vocabulary_audit.tokens:
        weights, census = verified.get(token.id, {}), answered.get(token.id, {})
        row: dict[str, Any] = {
            "item": str(token.id),
            "id": token.id,
            "token": shown(run.tokenizer.token_text(token.id)),
            "category": token.category.value,
            "byte_type": token.byte_type.value if token.byte_type else None,
            "is_reachable": token.is_reachable and token.category is not Category.SPECIAL,
            "indicator": float(ranking[token.id]),
            "indicator_rank": int(rank[token.id]),
            "is_candidate": bool(weights),
            "max_prob": weights.get("max_prob"),
            "verified": bool(weights["verified"]) if weights and findings.can_verify else None,
            "glitch": _flag(census.get("glitch")),
            "symptom": census.get("symptom"),
            "type": census.get("type"),
            "verdict": census.get("verdict"),
            "failed": census.get("failed"),
            **{f"{name}/passed": _flag(census.get(f"{name}/passed")) for name in names},
            "exposures": None if counts is None else int(counts[token.id]),
        }
        row["reasons"] = [reason.value for reason in _reasons(token, row, token.id in low and findings.can_verify)]
        rows.append(row | _changed(token.id, findings.change))
    return rows


def _by_id(stored: StoredRun) -> dict[int, dict[str, Any]]:
    rows = stored.records.to_dict("records")
    return {int(row["id"]): {str(name): _known(value) for name, value in row.items()} for row in rows}


def _known(value: Any) -> Any:
    """Pandas makes NaN of null."""
    return None if isinstance(value, float) and value != value else value


def _flag(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _reasons(token: AuditedToken, row: Mapping[str, Any], has_untrained_row: bool) -> list[Reason]:
    found = {
        Reason.GLITCH: row["glitch"] is True,
        Reason.UNDERTRAINED: row["verified"] is True,
        Reason.UNTRAINED_ROW: has_untrained_row,
        Reason.UNREACHABLE: token.category.is_unreachable,
        Reason.NO_TOKEN: token.category is Category.NO_TOKEN,
    }
    return [reason for reason, holds in found.items() if holds]


def _changed(token_id: int, change: Change | None) -> dict[str, Any]:
    if change is None or token_id not in change.now:
        return {"before": None, "change": None}
    before, now = change.before[token_id], change.now[token_id]
    return {"before": before, "change": None if before == now else "became_glitch" if now else "repaired"}


def _metrics(findings: Findings, rows: list[dict[str, Any]]) -> Metrics:
    counts, weights, census = findings.vocabulary_audit.counts, findings.undertrained.metrics, findings.census.metrics
    reachable = [row for row in rows if row["is_reachable"] and row["glitch"] is not None]
    metrics: Metrics = {
        "ids": len(rows),
        "bytes": counts[Category.BYTE],
        "special": counts[Category.SPECIAL],
        "utf8_fragments": counts[Category.UTF8_FRAGMENT],
        "unreachable": counts[Category.UNREACHABLE_ONE] + counts[Category.UNREACHABLE_SEVERAL],
        "ok": counts[Category.OK],
        "no_token": counts[Category.NO_TOKEN],
        "candidates": weights["candidates"],
        "verified": weights["verified_of_all_candidates"] if findings.can_verify else None,
        "candidates_ordinary": weights["candidates_ordinary"],
        "verified_ordinary": weights["verified"] if findings.can_verify else None,
        **{key: census.get(key) for key in ("tested", "glitch_tokens", "undecided_tokens", "glitch_rate")},
        **{f"glitch_rate/ci_{end}": census.get(f"glitch_rate/ci_{end}") for end in ("low", "high")},
        "counting_wordings": census["counting_wordings"],
        "counting_families": census["counting_families"],
        "glitch_rate_reachable": None,
        "listed": sum(bool(row["reasons"]) for row in rows),
        **{f"reason/{reason.value}": sum(reason.value in row["reasons"] for row in rows) for reason in Reason},
    }
    if reachable:
        hits = sum(row["glitch"] for row in reachable)
        metrics |= dict(wilson(hits, len(reachable)).metrics("glitch_rate_reachable"))
    return metrics | (findings.change.metrics() if findings.change is not None else {})


def _gate(run: Run[AuditConfig], metrics: Metrics) -> dict[str, Any]:
    """The gate's result: `passed` 1, 0, or None where no gate was requested."""
    most, rate = run.exp.max_glitch_rate, metrics["glitch_rate"]
    if most is None:
        return {"passed": None, "sentence": "no gate was asked for (exp.max_glitch_rate)"}
    if rate is None:
        sentence = (
            f"Gate shut: wordings of {metrics['counting_families']} families count for this model, two are needed, so "
            "its share of glitch tokens is not known."
        )
        passed = 0
    else:
        passed = int(float(rate) <= most)
        words = "Gate passed" if passed else "Gate exceeded"
        sentence = (
            f"{words}: {metrics['glitch_tokens']} of {metrics['tested']} tokens tested are glitch tokens, by "
            f"agreement of {metrics['counting_wordings']} wordings ({float(rate):.4%}), allowed: {most:.4%}."
        )
    (run.note if passed else run.warn)(sentence)
    return {"passed": passed, "sentence": sentence}


def _arrays(findings: Findings) -> dict[str, np.ndarray]:
    n = len(findings.vocabulary_audit.tokens)
    glitch = np.full(n, -1, dtype=np.int8)
    if "ids" in findings.census.arrays:
        glitch[findings.census.arrays["ids"]] = findings.census.arrays["glitch"]
    arrays: dict[str, np.ndarray] = {"indicator": findings.ranking.astype(np.float64), "glitch": glitch}
    if findings.change is not None:
        before = np.full(n, -1, dtype=np.int8)
        for token, failed in findings.change.before.items():
            before[token] = failed
        arrays["before"] = before
    return arrays


def _details(findings: Findings, gate: Mapping[str, Any]) -> dict[str, Any]:
    census = findings.census.details
    return {
        "parts": {part.experiment: part.run_id for part in (findings.undertrained, findings.census)},
        "verdict": census["verdict"],
        "rule_version": census["rule_version"],
        "questions": {
            task: {"version": question["version"], "text": question["text"]}
            for task, question in census["questions"].items()
        },
        "informative": census["informative"],
        "families": census["families"],
        "calibration": {task: found["sentence"] for task, found in census["calibration"].items()},
        "sample": census["sample"],
        "main_indicator": findings.undertrained.details["main_indicator"],
        "undertrained_informative": findings.can_verify,
        "gate": dict(gate),
        "compared": findings.change.details() if findings.change is not None else None,
    }
