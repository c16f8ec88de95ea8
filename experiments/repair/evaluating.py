"""One method on one model: it is fitted, applied, and everything is asked again; kept as a shard."""

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from experiments.repair.choosing import Tokens
from experiments.repair.config import RepairConfig
from experiments.repair.text import Documents, Scored, score
from experiments.repair.wordings import Wordings, second_way
from harness.glitch.census.ladder import Ladder, WordingAnswers
from harness.glitch.census.wordings import Wording
from harness.glitch.copying.copier import N_OWN, SEQ_LEN
from harness.glitch.copying.draws import Pairs, draw_round
from harness.glitch.copying.reading import CopyReader
from harness.glitch.repair.mending import Mending, NoMending
from harness.glitch.repair.method import RepairMethod
from harness.glitch.repair.patient import Patient
from harness.models.answers.steered import Scope
from harness.runs.context import Run

_AFTER, _MISTAKEN = 7_000_000, 8_000_000
"""Streams of the sequences that are copied afterwards: others than those tokens were chosen by."""
PASSED, FAILED, NOT_ASKED = 1, 0, -1


@dataclass(frozen=True, eq=False)
class Ward:
    """Everything that methods are tried on."""

    patient: Patient
    tokens: Tokens
    wordings: Wordings
    documents: Documents
    pairs: Pairs | None
    """Halves of healthy tokens for the copy effect; None where the model has no room for any."""


@dataclass(frozen=True, eq=False)
class Found:
    """What came of one method."""

    passed: Int[np.ndarray, "token wording"]
    """Glitch tokens in the held-out wordings, asked the second way: `PASSED`, `FAILED`, `NOT_ASKED`."""
    fitting_passed: Int[np.ndarray, "token fitting"]
    """The same in wordings that the method may have seen, in other sequences."""
    healthy: Int[np.ndarray, " healthy"]
    """Whether it passes a held-out wording, asked the second way."""
    mistaken: Int[np.ndarray, " mistaken"]
    """The same of healthy tokens that the method was applied to."""
    lost: Int[np.ndarray, "lost 2"]
    """Healthy tokens that no text leads to any more, before and after by their pieces: the same, asked until passed."""
    text: Scored
    copy_effect: Float[np.ndarray, " copied"]
    """Nats; empty where nothing is copied."""
    left_out: Int[np.ndarray, " some"]
    """Glitch tokens that the method has nothing for."""
    n_positions: int
    costs: Mapping[str, float | None]
    """What running text pays beside its perplexity, by the ends of keys in metrics.json."""
    facts: Mapping[str, Any]


def copied_pairs(ward_seed: int, patient: Patient, healthy: Sequence[int], n: int) -> Pairs | None:
    """Sequences in which healthy tokens stand once each."""
    if patient.material is None or not len(healthy):
        return None
    known = set(patient.material.bystanders.tolist())
    some = [int(token) for token in healthy if int(token) in known][:n]
    material = patient.material.without(sorted(patient.suspects))
    return draw_round(material, some, N_OWN, N_OWN, SEQ_LEN, np.random.default_rng([ward_seed, 14])) if some else None


def evaluate(run: Run[RepairConfig], ward: Ward, method: RepairMethod) -> tuple[Found, Mending | None]:
    """Fit, mend, ask. The mending is None where the answers are from an earlier attempt of this run."""
    key = f"method-{method.name}"
    kept = run.shards.read(key)
    if kept is not None:
        return _from_arrays(kept.arrays, **json.loads(kept.metadata["found"])), None
    started = time.perf_counter()
    fitted, mending = prepare(ward, method, run.seed)
    seconds = time.perf_counter() - started
    found = _ask_all(run, ward, fitted, mending)
    found = replace(found, facts={**found.facts, "seconds": round(seconds, 3)})
    run.shards.write(key, _as_arrays(found), {"found": json.dumps({"costs": found.costs, "facts": found.facts})})
    return found, mending


def prepare(ward: Ward, method: RepairMethod, seed: int) -> tuple[RepairMethod, Mending]:
    """The method as fitted, and what it makes of the glitch tokens."""
    fitted = method.fitted(ward.patient)
    return fitted, fitted.mend(ward.patient, ward.tokens.glitch.tolist(), _rng(seed, method, 0))


def _rng(seed: int, method: RepairMethod, use: int) -> np.random.Generator:
    # The rows of one kind get the same draws at either end.
    return np.random.default_rng([seed, zlib.crc32(method.name.rsplit("_", 1)[0].encode()), use])


def _ask_all(run: Run[RepairConfig], ward: Ward, fitted: RepairMethod, mending: Mending) -> Found:
    tokens, patient = ward.tokens, ward.patient
    mistaken = tokens.mistaken.tolist()
    by_mistake = replace(patient, suspects=patient.suspects | set(mistaken))
    wrong = fitted.mend(by_mistake, mistaken, _rng(run.seed, fitted, 1)) if mistaken else mending
    held_out = [second_way(wording) for wording in ward.wordings.held_out]
    tokenizer = mending.tokenizer or run.tokenizer
    with mending.on(patient.model, Scope.TEXT) as model:
        scored = score(model, tokenizer, run.facts.bos_id, ward.documents)
        effect = np.zeros(0, dtype=np.float32)
        if ward.pairs is not None:
            effect = _copy_effect(CopyReader(model, SEQ_LEN, run.facts.bos_id), ward.pairs)
    return Found(
        passed=_ask_each(patient, mending, held_out, tokens.glitch),
        fitting_passed=_ask_each(patient, mending, [second_way(one) for one in ward.wordings.fitting], tokens.glitch),
        healthy=_ask_until(patient, mending, held_out, tokens.healthy, _AFTER),
        mistaken=_ask_until(patient, wrong, held_out, tokens.mistaken, _MISTAKEN),
        lost=_ask_lost(run, patient, mending, held_out),
        text=scored,
        copy_effect=effect,
        left_out=np.array(mending.left_out, dtype=np.int64),
        n_positions=mending.n_positions,
        costs=mending.costs(ward.documents.texts, run.seed),
        facts=dict(mending.facts),
    )


def scope_of(wording: Wording) -> Scope:
    """Copying is read from whole sequences, everything else from answers."""
    return Scope.TEXT if wording.question is None else Scope.ANSWERS


def _ask(patient: Patient, mending: Mending, wording: Wording, ids: Sequence[int], stream: int) -> WordingAnswers:
    with mending.on(patient.model, scope_of(wording)) as model:
        ladder: Ladder = patient.ladder.on(model)
        if mending.tokenizer is not None:
            ladder = ladder.spelt(mending.tokenizer, mending.pieces)
        return ladder.ask(wording, ids, stream)


def _ask_each(
    patient: Patient, mending: Mending, wordings: Sequence[Wording], ids: Int[np.ndarray, " token"]
) -> Int[np.ndarray, "token wording"]:
    """All tokens in every wording."""
    found = np.full((len(ids), len(wordings)), NOT_ASKED, dtype=np.int8)
    for number, wording in enumerate(wordings):
        answers = _ask(patient, mending, wording, ids.tolist(), _AFTER)
        place = {token: row for row, token in enumerate(answers.ids.tolist())}
        for row, token in enumerate(ids.tolist()):
            if token in place:
                found[row, number] = int(answers.passed[place[token]])
    return found


def _ask_until(
    patient: Patient, mending: Mending, wordings: Sequence[Wording], ids: Int[np.ndarray, " token"], stream: int
) -> Int[np.ndarray, " token"]:
    """All tokens in the first wording, those that have passed none in the next, and so on."""
    result = dict.fromkeys(ids.tolist(), NOT_ASKED)
    for wording in wordings:
        left = [token for token, passed in result.items() if passed != PASSED]
        answers = _ask(patient, mending, wording, left, stream)
        for token, passed in zip(answers.ids.tolist(), answers.passed.tolist(), strict=True):
            result[token] = max(result[token], int(passed))
    return np.array(list(result.values()), dtype=np.int8)


def _ask_lost(
    run: Run[RepairConfig], patient: Patient, mending: Mending, wordings: Sequence[Wording]
) -> Int[np.ndarray, "lost 2"]:
    lost = np.array([token for token in mending.lost if token not in patient.suspects], dtype=np.int64)
    some = np.random.default_rng([run.seed, 15]).permutation(lost)[: run.exp.n_healthy]
    both = (_ask_until(patient, one, wordings, some, _AFTER) for one in (NoMending(), mending))
    return np.stack(list(both), axis=1) if len(some) else np.zeros((0, 2), dtype=np.int8)


def _copy_effect(reader: CopyReader, pairs: Pairs) -> Float[np.ndarray, " copied"]:
    read = reader.read(pairs)
    order = np.argsort(read["ids"])
    effect: np.ndarray = (read["logprob"] - read["control"])[order].astype(np.float32)
    return effect


def _as_arrays(found: Found) -> dict[str, np.ndarray]:
    return {
        "passed": found.passed,
        "fitting_passed": found.fitting_passed,
        "healthy": found.healthy,
        "mistaken": found.mistaken,
        "lost": found.lost,
        "nats": found.text.nats,
        "n_tokens": found.text.n_tokens,
        "n_ids": found.text.n_ids,
        "copy_effect": found.copy_effect,
        "left_out": found.left_out,
        "n_positions": np.array([found.n_positions], dtype=np.int64),
    }


def _from_arrays(
    arrays: Mapping[str, np.ndarray], costs: Mapping[str, float | None], facts: Mapping[str, Any]
) -> Found:
    names = ("passed", "fitting_passed", "healthy", "mistaken", "lost", "copy_effect", "left_out")
    same = {name: arrays[name] for name in names}
    text = Scored(arrays["nats"], arrays["n_tokens"], arrays["n_ids"])
    return Found(**same, text=text, n_positions=int(arrays["n_positions"][0]), costs=costs, facts=facts)
