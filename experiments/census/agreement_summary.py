"""Metrics, arrays and details of a census by agreement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from experiments.census.by_exposures import count_by_exposures
from experiments.census.choosing import candidates, what_was_asked
from experiments.census.config import CensusConfig
from experiments.census.sampled import SampledAnswers
from experiments.census.token_result import RowWriter, TokenResult
from harness.glitch.census.calibration import Trial
from harness.glitch.census.families import can_decide
from harness.glitch.census.groups import GROUPS, groups_of
from harness.glitch.census.matching import RULE_VERSION
from harness.glitch.census.rules import VerdictRule
from harness.glitch.census.symptoms import Symptom
from harness.glitch.census.token_types import TokenType
from harness.glitch.census.verdict import LEAST_PASS_RATE, Verdict
from harness.glitch.census.wordings import Wording, questions_of
from harness.measure.intervals import Interval, wilson, wilson_clustered
from harness.measure.stratified import StratifiedSample, weighted_share
from harness.runs.context import Outcome, Run
from harness.tokens.kinds import LABELS
from harness.tokens.text import shown

_EXAMPLES = 8
_FEWEST_OF_A_GROUP = 5
"""Well-known tokens of a group that say something about it."""
_CODES = {Verdict.GLITCH: 1, Verdict.NOT_GLITCH: 0, Verdict.UNDECIDED: 2, Verdict.NONE: -1}
"""Of a verdict in arrays."""

Metrics = dict[str, float | int | str | None]


@dataclass(frozen=True, eq=False)
class Found:
    """Everything a census by agreement found."""

    trials: Sequence[Trial]
    used: Sequence[Wording]
    """The wordings that count, the cheapest first."""
    drawn: StratifiedSample
    sample: Sequence[TokenResult]
    """Asked in every wording; in order of id, one for each place of `drawn`. Empty where no wording counts."""
    others: Sequence[TokenResult]
    """Asked until they passed; in order of id."""
    writer: RowWriter
    sampled: SampledAnswers | None

    @cached_property
    def everyone(self) -> tuple[TokenResult, ...]:
        """All that were asked, in order of id."""
        return tuple(sorted((*self.sample, *self.others), key=lambda result: result.token_id))

    def share(self, hits: Sequence[bool]) -> Interval:
        """Of all candidates, the share that `hits`, one for each of `sample`, stands for."""
        if len(hits) == int(self.drawn.sizes.sum()):
            return wilson(sum(hits), len(hits))
        return weighted_share(self.drawn, np.asarray(hits, dtype=bool))

    @property
    def can_decide(self) -> bool:
        """Whether any token could have been called a glitch token."""
        return can_decide(wording.family for wording in self.used)


def summarise_agreement(run: Run[CensusConfig], found: Found) -> Outcome:
    """The outcome of the run."""
    glitch = {one.token_id: decided for one in found.everyone if (decided := one.verdict.as_glitch) is not None}
    by_exposures = count_by_exposures(run, glitch)
    metrics: Metrics = {
        "tested": len(found.everyone),
        "counting_wordings": len(found.used),
        "counting_families": len({wording.family for wording in found.used}),
        **_verdicts(found),
    }
    for trial in found.trials:
        metrics |= _wording(found, trial)
    metrics |= _looks(found) | _kinds(found) | _sampled(found)
    for row in by_exposures:
        if not row["planted"]:
            share = wilson(row["glitch"], row["n"])
            metrics |= share.metrics(f"p_glitch/exposures_{row['low']}_{row['high'] or ''}")
    return Outcome(metrics, _arrays(run, found), _details(run, found, by_exposures))


def _verdicts(found: Found) -> Metrics:
    everyone = found.everyone
    metrics: Metrics = {
        f"{verdict.value}_tokens": sum(one.verdict is verdict for one in everyone) if everyone else None
        for verdict in Verdict
    }
    for verdict, name in ((Verdict.GLITCH, "glitch_rate"), (Verdict.UNDECIDED, "undecided_rate")):
        if not everyone or (verdict is Verdict.GLITCH and not found.can_decide):
            metrics |= {name: None, f"{name}/ci_low": None, f"{name}/ci_high": None}
        elif found.others:
            metrics |= wilson(sum(one.verdict is verdict for one in everyone), len(everyone)).metrics(name)
        else:
            metrics |= found.share([one.verdict is verdict for one in found.sample]).metrics(name)
    if found.sample:
        depends = [one.is_prompt_dependent for one in found.sample]
        metrics |= {"sample": len(found.sample), "prompt_dependent": sum(depends)}
        metrics |= found.share(depends).metrics("prompt_dependent_share")
    return metrics


def _wording(found: Found, trial: Trial) -> Metrics:
    name, calibration = f"wording/{trial.name}", trial.calibration
    metrics: Metrics = {
        f"{name}/counts": int(calibration.is_informative),
        f"{name}/calibration_n": calibration.n,
        f"{name}/calibration_passed": calibration.passed,
        f"{name}/not_askable": trial.n_not_askable,
        f"{name}/positions_per_token": trial.positions_per_token,
    }
    if calibration.interval is not None:
        metrics |= calibration.interval.metrics(f"{name}/calibration_pass_rate")
    asked = [one for one in found.sample if trial.name in one.passed]
    if not asked:
        return metrics
    failed = [one for one in asked if not one.passed[trial.name]]
    metrics |= {f"{name}/asked": len(asked), f"{name}/failed": len(failed)}
    metrics |= wilson(len(asked) - len(failed), len(asked)).metrics(f"{name}/pass_rate")
    if failed:
        by_wording = sum(_passes_another(one, trial.name) for one in failed)
        metrics |= {f"{name}/artefact_tokens": by_wording}
        metrics |= wilson(by_wording, len(failed)).metrics(f"{name}/artefact")
    return metrics


def _passes_another(result: TokenResult, name: str) -> bool:
    """Whether a token passes a wording that counts, other than this one."""
    return any(result.passed[other] for other in result.counting if other != name)


def _looks(found: Found) -> Metrics:
    """Glitch tokens by symptom and by type of token."""
    glitches = [one for one in found.everyone if one.verdict is Verdict.GLITCH]
    symptoms = [found.writer.symptom(one) for one in glitches]
    types = [found.writer.vocabulary.type_of(one.token_id) for one in glitches]
    return {
        **{f"symptom/{symptom.value}": sum(one is symptom for one in symptoms) for symptom in Symptom},
        **{f"type/{kind.value}": sum(one is kind for one in types) for kind in TokenType},
    }


def _kinds(found: Found) -> Metrics:
    """Glitch tokens by the vocabulary's kinds of token."""
    metrics: Metrics = {}
    for kind in LABELS:
        inside = [one for one in found.everyone if found.writer.kinds[one.token_id] is kind]
        if inside:
            hits = sum(one.verdict is Verdict.GLITCH for one in inside)
            metrics |= {f"kind/{kind.value}/n": len(inside), f"kind/{kind.value}/glitch": hits}
            metrics |= wilson(hits, len(inside)).metrics(f"kind/{kind.value}/glitch_rate")
    return metrics


def _sampled(found: Found) -> Metrics:
    """The failure rate of sampled answers, of glitch tokens and of the others."""
    if found.sampled is None:
        return {}
    verdict = {one.token_id: one.verdict for one in found.sample}
    metrics: Metrics = {}
    for name, wanted in (("glitch", Verdict.GLITCH), ("not_glitch", Verdict.NOT_GLITCH)):
        rates = [
            failures / found.sampled.trials
            for token, failures in zip(found.sampled.ids.tolist(), found.sampled.failures.tolist(), strict=True)
            if verdict[token] is wanted
        ]
        if rates:
            metrics |= wilson_clustered(np.array(rates), found.sampled.trials).metrics(f"sampled/{name}/failure_rate")
    return metrics


def _arrays(run: Run[CensusConfig], found: Found) -> dict[str, np.ndarray]:
    everyone = found.everyone
    arrays: dict[str, np.ndarray] = {
        "ids": np.array([one.token_id for one in everyone], dtype=np.int64),
        "glitch": np.array([_flag(one.verdict.as_glitch) for one in everyone], dtype=np.int8),
        "verdict": np.array([_CODES[one.verdict] for one in everyone], dtype=np.int8),
        "in_sample": np.array([one.in_sample for one in everyone], dtype=np.int8),
    }
    for trial in found.trials:
        if everyone:
            passed = [_flag(one.passed.get(trial.name)) for one in everyone]
            margin = [one.margin.get(trial.name, np.nan) for one in everyone]
            arrays[f"{trial.name}/passed"] = np.array(passed, dtype=np.int8)
            arrays[f"{trial.name}/margin"] = np.array(margin, dtype=np.float32)
    if found.sample:
        arrays["sample/weight"] = found.drawn.weight
        arrays["agreement"], arrays["artefacts"] = _compare(found)
    if found.sampled is not None:
        arrays["sampled/ids"], arrays["sampled/failures"] = found.sampled.ids, found.sampled.failures
    if run.facts.exposures is not None:
        arrays["exposures"] = run.facts.exposures.total[arrays["ids"]].astype(np.int64)
    return arrays


def _compare(found: Found) -> tuple[Float[np.ndarray, "wording wording"], Int[np.ndarray, "wording wording"]]:
    """Of the sample's tokens asked in two wordings: the share with the same outcome (NaN without any), and how many
    fail the first and pass the second."""
    names = [trial.name for trial in found.trials]
    table = np.array([[_flag(one.passed.get(name)) for name in names] for one in found.sample])
    same, only = np.full((len(names),) * 2, np.nan), np.zeros((len(names),) * 2, dtype=np.int64)
    for row in range(len(names)):
        for column in range(len(names)):
            both = (table[:, row] >= 0) & (table[:, column] >= 0)
            if both.any():
                same[row, column] = float((table[both, row] == table[both, column]).mean())
            only[row, column] = int(((table[:, row] == 0) & (table[:, column] == 1)).sum())
    return same, only


def _flag(value: bool | None) -> int:
    return -1 if value is None else int(value)


def _details(run: Run[CensusConfig], found: Found, by_exposures: list[dict[str, Any]]) -> dict[str, Any]:
    cost = sum(trial.positions_per_token for trial in found.trials)
    vocabulary = found.writer.vocabulary
    return {
        "verdict": VerdictRule.AGREEMENT.value,
        "rule_version": RULE_VERSION,
        "wordings": [trial.name for trial in found.trials],
        "families": {trial.name: trial.wording.family.value for trial in found.trials},
        "questions": questions_of(trial.wording for trial in found.trials),
        "informative": [wording.name for wording in found.used],
        "calibration": {trial.name: _calibration(found, trial) for trial in found.trials},
        "groups": _groups(found),
        "is_complete": len(found.everyone) == len(vocabulary.testable_ids),
        "sample": what_was_asked(run, vocabulary),
        "n_sample": len(found.sample),
        "n_candidates": len(candidates(run, vocabulary)),
        "positions_per_token_of_sample": cost,
        "tokens_per_query": _price(found),
        "n_special": len(vocabulary.special_ids),
        "n_without_token": len(vocabulary.unnamed_ids),
        "by_exposures": by_exposures,
        "sampled": None
        if found.sampled is None
        else {"wording": found.sampled.wording, "trials": found.sampled.trials, "temperature": run.exp.temperature},
    }


def _price(found: Found) -> float | None:
    """Positions that one verdict takes, on average: the wordings that count from the cheapest on, until one is passed,
    each at what it cost on well-known tokens."""
    cost = {trial.name: trial.positions_per_token for trial in found.trials}
    prices = []
    for one in found.everyone:
        price = 0.0
        for wording in found.used:
            if wording.name in one.passed:
                price += cost[wording.name]
                if one.passed[wording.name]:
                    break
        prices.append(price)
    return float(np.mean(prices)) if prices else None


def weak_groups(found: Found, wording: str) -> str:
    """The groups of well-known tokens in which a wording that counts has too few passes, for a sentence."""
    rows = [row for row in _groups(found) if row["wording"] == wording and row["known_n"] >= _FEWEST_OF_A_GROUP]
    return ", ".join(
        f"{row['group']} ({row['known_passed']} of {row['known_n']})"
        for row in rows
        if row["known_passed"] < LEAST_PASS_RATE * row["known_n"]
    )


def _groups(found: Found) -> list[dict[str, Any]]:
    """How every wording does on groups of tokens: well-known ones, and those of the sample that pass another."""
    texts = found.writer.vocabulary.texts
    inside = {one.token_id: groups_of(texts[one.token_id]) for one in found.sample}
    rows = []
    for trial in found.trials:
        known = zip(trial.answers.ids.tolist(), trial.answers.passed.tolist(), strict=True)
        of_known = [(groups_of(texts[token]), is_right) for token, is_right in known]
        of_sample = [
            (inside[one.token_id], one.passed[trial.name])
            for one in found.sample
            if trial.name in one.passed and _passes_another(one, trial.name)
        ]
        for group in GROUPS:
            row: dict[str, Any] = {"wording": trial.name, "group": group}
            for label, some in (("known", of_known), ("sayable", of_sample)):
                kept = [is_right for groups, is_right in some if group in groups]
                row |= {f"{label}_n": len(kept), f"{label}_passed": sum(kept)}
            rows.append(row)
    return rows


def _calibration(found: Found, trial: Trial) -> Mapping[str, Any]:
    calibration, writer = trial.calibration, found.writer
    columns = zip(trial.answers.ids.tolist(), trial.answers.passed.tolist(), trial.answers.said, strict=True)
    return {
        "passed": calibration.passed,
        "n": calibration.n,
        "where": calibration.where,
        "informative": calibration.is_informative,
        "sentence": calibration.sentence(),
        "examples": [
            {
                "id": token,
                "token": shown(writer.vocabulary.names[token]),
                "answer": writer.vocabulary.decode(said, writer.tokenizer) if trial.wording.question else None,
                "passed": is_right,
            }
            for token, is_right, said in list(columns)[:_EXAMPLES]
        ],
    }
