"""A census by agreement: a sample in every wording, all others in the cheapest that counts and on until they pass."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.census.agreement_summary import Found, summarise_agreement, weak_groups
from experiments.census.choosing import candidates, what_was_asked
from experiments.census.config import CensusConfig
from experiments.census.sampled import SampledAnswers, sample_answers
from experiments.census.token_result import RowWriter, TokenResult, results_of
from harness.glitch.census.calibration import CALIBRATION_STREAM, Trial, counting, known_for, trial_of
from harness.glitch.census.families import LEAST_FAMILIES
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import Ladder, WordingAnswers, make_ladder
from harness.glitch.census.verdict import LEAST_PASS_RATE
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.census.wordings import Wording, make_wordings
from harness.measure.stratified import StratifiedSample, draw_stratified
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Outcome, Run
from harness.tokens.kinds import TokenKind, kinds_of

_SAMPLE_SHARD = 128
"""Tokens of the sample that are kept or lost together: each is asked in every wording."""
_SAMPLE, _OTHERS = 2_000_000, 3_000_000
"""Streams of the sequences that tokens are copied in; a shard adds its number."""

Ask = Callable[[int, Sequence[int]], dict[str, WordingAnswers]]


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Who is asked what."""

    sample: StratifiedSample
    sample_ids: tuple[int, ...]
    """In every wording; in order of id, as the sample's places."""
    others: tuple[int, ...]
    """Until they pass; in a random order, so that tokens of one kind don't keep each other company."""


def measure_agreement(run: Run[CensusConfig]) -> Outcome:
    """Put the judge on trial, try every wording on well-known tokens, ask, and compare what the wordings say."""
    with run.answering() as model:
        vocabulary = CensusVocabulary.read(run.tokenizer, run.facts)
        interviewer = Interviewer(model, run.tokenizer, vocabulary, run.facts.special_ids, run.exp.batch_size)
        wordings = make_wordings(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
        ladder = make_ladder(interviewer, wordings, run.facts, run.pools["common"].ids, run.seed)
        trials = _try_wordings(run, ladder)
        used = counting(trials)
        kinds = kinds_of(run.evidence.audit, run.tokenizer, run.facts.d_vocab)
        chosen = _choose(run, vocabulary, kinds)
        writer = RowWriter(
            vocabulary, run.tokenizer, kinds, {one.name: one for one in ladder.wordings}, len(used),
            None if run.facts.exposures is None else run.facts.exposures.total,
        )  # fmt: skip
        sample, others, sampled = [], [], None
        if used:
            sample = _ask_sample(run, ladder, used, chosen, writer)
            others = _climb(run, ladder, used, chosen, writer)
            sampled = _sample_answers(run, interviewer, used, chosen)
    found = Found(trials, used, chosen.sample, sample, others, writer, sampled)
    _say(run, found, wordings)
    return summarise_agreement(run, found)


def _try_wordings(run: Run[CensusConfig], ladder: Ladder) -> list[Trial]:
    """Every wording on well-known tokens; a note holds each result."""
    found = []
    for wording in ladder.wordings:
        tokens = known_for(ladder, wording, run.organism, run.pools, run.exp.n_calibration, run.seed)

        def compute(batch: Batch[tuple[int, ...]], wording: Wording = wording) -> Mapping[str, np.ndarray]:
            return ladder.ask(wording, batch.work, CALIBRATION_STREAM).as_arrays(wording.name)

        batch = Batch(f"calibration-{wording.name}", tokens.ids, len(tokens.ids))
        with run.timer("calibrate"):
            (arrays,) = compute_batches(run, [batch], compute, no_rows, f"trying {wording.name}")
        answers = WordingAnswers.from_arrays(wording.name, arrays)
        found.append(trial_of(ladder, wording, answers, tokens.where))
        run.note(found[-1].calibration.sentence())
    return found


def _choose(run: Run[CensusConfig], vocabulary: CensusVocabulary, kinds: Sequence[TokenKind]) -> _Chosen:
    ids = candidates(run, vocabulary)
    rng = np.random.default_rng([run.seed, 7])
    n = run.exp.n_sample if run.exp.n_tokens is None else run.exp.n_tokens
    sample = draw_stratified([kinds[i].value for i in ids], min(n, len(ids)), rng)
    sample_ids = tuple(ids[place] for place in sample.places.tolist())
    left = np.array(sorted(set(ids) - set(sample_ids)) if run.exp.n_tokens is None else [], dtype=np.int64)
    return _Chosen(sample, sample_ids, tuple(rng.permutation(left).tolist()))


def _ask_sample(
    run: Run[CensusConfig], ladder: Ladder, used: Sequence[Wording], chosen: _Chosen, writer: RowWriter
) -> list[TokenResult]:
    ids = np.random.default_rng([run.seed, 8]).permutation(np.array(chosen.sample_ids, dtype=np.int64)).tolist()

    def ask(number: int, some: Sequence[int]) -> dict[str, WordingAnswers]:
        return {wording.name: ladder.ask(wording, some, _SAMPLE + number) for wording in ladder.wordings}

    with run.timer("ask_sample"):
        return _in_shards(run, "sample", ids, _SAMPLE_SHARD, ask, used, writer)


def _climb(
    run: Run[CensusConfig], ladder: Ladder, used: Sequence[Wording], chosen: _Chosen, writer: RowWriter
) -> list[TokenResult]:
    def ask(number: int, some: Sequence[int]) -> dict[str, WordingAnswers]:
        return ladder.climb(used, some, _OTHERS + number)

    with run.timer("ask_others"):
        return _in_shards(run, "others", chosen.others, run.exp.shard, ask, used, writer)


def _in_shards(
    run: Run[CensusConfig],
    name: str,
    ids: Sequence[int],
    size: int,
    ask: Ask,
    used: Sequence[Wording],
    writer: RowWriter,
) -> list[TokenResult]:
    """The results of some tokens in order of id, asked shard by shard, each shard with its records."""
    parts = [list(ids[start : start + size]) for start in range(0, len(ids), size)]
    batches = [Batch(f"{name}-{number:05d}", (number, part), len(part)) for number, part in enumerate(parts)]
    results: list[TokenResult] = []

    def compute(batch: Batch[tuple[int, list[int]]]) -> Mapping[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for wording, answers in ask(*batch.work).items():
            arrays |= answers.as_arrays(wording)
        return arrays

    def rows(batch: Batch[tuple[int, list[int]]], arrays: Mapping[str, np.ndarray]) -> Iterable[dict[str, Any]]:
        asked = [wording for wording in writer.wordings if f"{wording}/ids" in arrays]
        answers = {wording: WordingAnswers.from_arrays(wording, arrays) for wording in asked}
        some = results_of(batch.work[1], used, answers, in_sample=name == "sample")
        results.extend(some)
        return [writer.row(result) for result in some]

    compute_batches(run, batches, compute, rows, f"asking about {name}")
    return sorted(results, key=lambda result: result.token_id)


def _sample_answers(
    run: Run[CensusConfig], interviewer: Interviewer, used: Sequence[Wording], chosen: _Chosen
) -> SampledAnswers | None:
    cheapest = next((wording for wording in used if wording.question is not None), None)
    if not run.exp.n_samples or cheapest is None:
        return None
    with run.timer("sample_answers"):
        return sample_answers(run, interviewer, cheapest, chosen.sample_ids)


def _say(run: Run[CensusConfig], found: Found, wordings: Sequence[Wording]) -> None:
    """The plain sentences that go with the numbers."""
    tried = {trial.name for trial in found.trials}
    left_out = [wording.name for wording in wordings if wording.name not in tried]
    if left_out:
        run.note(f"Not asked, since they do not fit the model's window or vocabulary: {', '.join(left_out)}.")
    if not found.used:
        run.warn("Nothing can be said about this model's tokens: it can't say enough well-known tokens in any wording.")
        return
    families = sorted({wording.family.value for wording in found.used})
    counted = f"{len(found.used)} of {len(found.trials)} wordings count for this model ({', '.join(families)})"
    if not found.can_decide:
        run.warn(
            f"{counted}: they are of one family, so that a token which fails all of them is undecided. It may be the "
            "way of asking that fails."
        )
    else:
        run.note(f"{counted}; a glitch token fails all it can be asked in, of {LEAST_FAMILIES} families at least.")
    for wording in found.used:
        weak = weak_groups(found, wording.name)
        if weak:
            run.note(f"{wording.name} counts, but fewer than {LEAST_PASS_RATE} of some well-known tokens pass: {weak}.")
    asked = what_was_asked(run, found.writer.vocabulary)
    if asked != "every token":
        run.note(f"Tested: {asked}; not the whole vocabulary.")
    unnamed = len(found.writer.vocabulary.unnamed_ids)
    if unnamed:
        run.note(f"{unnamed} embedding rows have no token of the tokenizer: they pass only if their id is said.")
