"""The ground truth: every token asked until it passes a wording, and what a query of it answers and costs.

Asked and echoed wordings decide, and copying takes no part, so that a detector may use it. Where those that count are
of one family only, failing them may be the family's doing: then copying is the second family, of the truth and of
queries, as in a census by agreement. `harness.glitch.detectors.querying` says what a query is; a token that failed one
may be looked at again, in further wordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.detectors.config import DetectorsConfig
from harness.glitch.census.calibration import CALIBRATION_STREAM, Trial, counting, known_for, trial_of
from harness.glitch.census.families import WordingFamily, can_decide
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import Ladder, WordingAnswers, make_ladder
from harness.glitch.census.wordings import Wording, make_wordings
from harness.glitch.detectors.oracle import TableOracle
from harness.glitch.detectors.price import QueryPrice
from harness.glitch.detectors.querying import N_ASKED, fails_and_margins, further_wordings, order_of_asking
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Run

_SHARD = 512
_STREAM = 3_000_000
"""Of the sequences that tokens are copied in; a shard adds its number."""
_NOBODY = (np.empty(0, dtype=np.int64), np.empty(0, dtype=bool), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Truth:
    """Which tokens are glitch tokens, and what a query of each would answer."""

    ids: Int[np.ndarray, " token"]
    """Tokens with a verdict, ascending."""
    glitch: Bool[np.ndarray, " token"]
    """Fail every asked or echoed wording that counts."""
    fails: Bool[np.ndarray, " token"]
    """What a query answers: fail the first two of them."""
    margin: Float[np.ndarray, " token"]
    """Logits by which the query's better answer led; NaN where that can't be read."""
    positions: Int[np.ndarray, " token"]
    """Token positions of each query."""
    settled: Bool[np.ndarray, " token"]
    """Fail the further wordings of a second look as well."""
    settling: Int[np.ndarray, " token"]
    """Token positions of that second look, which ends with the first wording passed."""
    price: QueryPrice
    wordings: tuple[str, ...]
    """Those that count, in the order they are asked in; none: nothing can be said about this model's tokens."""
    families: tuple[str, ...]
    """Of these wordings."""
    calibration: dict[str, str]
    """What trying each wording on well-known tokens gave."""

    @property
    def n_glitch(self) -> int:
        """How many there are."""
        return int(self.glitch.sum())

    def oracle(self) -> TableOracle:
        """A new oracle that answers and charges as the model did."""
        ids = self.ids.tolist()
        return TableOracle(
            dict(zip(ids, self.fails.tolist(), strict=True)),
            tokens_per_query=dict(zip(ids, self.positions.tolist(), strict=True)),
            margins=dict(zip(ids, self.margin.tolist(), strict=True)),
            settled=dict(zip(ids, self.settled.tolist(), strict=True)),
            settling=dict(zip(ids, self.settling.tolist(), strict=True)),
        )


def establish_truth(run: Run[DetectorsConfig], interviewer: Interviewer) -> Truth:
    """Try every wording, and ask every token in those that count until it passes one. Kept in shards."""
    found = make_wordings(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
    ladder = make_ladder(interviewer, found, run.facts, run.pools["common"].ids, run.seed)
    with run.timer("truth"):
        used, further, calibration = _try(run, ladder)
        for sentence in calibration.values():
            run.note(sentence)
        return _ask_all(run, ladder, used, further, calibration)


def _try(run: Run[DetectorsConfig], ladder: Ladder) -> tuple[tuple[Wording, ...], tuple[Wording, ...], dict[str, str]]:
    """The wordings that count in the order of asking, those of a second look, a sentence for each that was tried.

    Copying is tried only where it is needed as a second family.
    """
    copying = [wording for wording in ladder.wordings if wording.family is WordingFamily.COPIED]
    trials = _trials(run, ladder, [wording for wording in ladder.wordings if wording not in copying])
    families = {wording.family for wording in counting(trials)}
    if families and not can_decide(families):
        trials += _trials(run, ladder, copying)
    sentences = {trial.name: trial.calibration.sentence() for trial in trials}
    return order_of_asking(counting(trials)), further_wordings(trials), sentences


def _trials(run: Run[DetectorsConfig], ladder: Ladder, wordings: Sequence[Wording]) -> list[Trial]:
    """Each of these wordings on well-known tokens."""
    known = {
        wording.name: known_for(ladder, wording, run.organism, run.pools, run.exp.n_calibration, run.seed)
        for wording in wordings
    }
    shards = compute_batches(
        run,
        [Batch(f"try-{wording.name}", wording) for wording in wordings],
        lambda batch: ladder.ask(batch.work, known[batch.work.name].ids, CALIBRATION_STREAM).as_arrays(batch.work.name),
        no_rows,
        "trying wordings on well-known tokens",
    )
    return [
        trial_of(ladder, wording, WordingAnswers.from_arrays(wording.name, arrays), known[wording.name].where)
        for wording, arrays in zip(wordings, shards, strict=True)
    ]


def _ask_all(
    run: Run[DetectorsConfig],
    ladder: Ladder,
    used: Sequence[Wording],
    further: Sequence[Wording],
    calibration: dict[str, str],
) -> Truth:
    ids = np.array(ladder.testable_ids, dtype=np.int64)
    if run.exp.n_tokens is not None and run.exp.n_tokens < len(ids):
        ids = np.random.default_rng([run.seed, 4]).permutation(ids)[: run.exp.n_tokens]
    parts = [ids[start : start + _SHARD].tolist() for start in range(0, len(ids), _SHARD)] if used else []

    def compute(batch: Batch[tuple[int, list[int]]]) -> dict[str, np.ndarray]:
        number, part = batch.work
        arrays: dict[str, np.ndarray] = {}
        for name, answers in ladder.climb(used, part, _STREAM + number).items():
            arrays |= answers.as_arrays(name)
        return arrays

    batches = [Batch(f"truth-{number:05d}", (number, part), len(part)) for number, part in enumerate(parts)]
    shards = compute_batches(run, batches, compute, no_rows, "asking every token")
    answers = {
        wording.name: [WordingAnswers.from_arrays(wording.name, arrays) for arrays in shards] for wording in used
    }
    return make_truth(used, answers, calibration, further)


def make_truth(
    used: Sequence[Wording],
    answers: dict[str, list[WordingAnswers]],
    calibration: dict[str, str],
    further: Sequence[Wording] = (),
) -> Truth:
    """The truth from the answers of a climb, by wording: tokens that passed an earlier wording are not in a later one.

    A token that the wordings of a query can't ask about has no verdict, nor has one that fails all words of one family
    and can't be copied. What an answer costs is its length and an equal share of all else that went through the model
    for its wording. `further`: the wordings of a second look.
    """
    asked = _ids_of(used[:N_ASKED], answers)
    copying = [wording for wording in used if wording.family is WordingFamily.COPIED]
    passing = {i for wording in used for part in answers[wording.name] for i in part.ids[part.passed].tolist()}
    undecided = asked - passing - _ids_of(copying, answers) if copying else set()
    ids = np.array(sorted(asked - undecided), dtype=np.int64)
    place = {token: number for number, token in enumerate(ids.tolist())}
    fails, margin = fails_and_margins(ids, [part for wording in used[:N_ASKED] for part in answers[wording.name]])
    glitch, settled = np.ones(len(ids), dtype=bool), fails.copy()
    positions, settling = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.int64)
    prices = []
    for number, wording in enumerate(used):
        found = [
            (place[token], right, len(said))
            for part in answers[wording.name]
            for token, right, said in zip(part.ids.tolist(), part.passed.tolist(), part.said, strict=True)
            if token in place
        ]
        where, passed, lengths = (np.array(column) for column in zip(*found, strict=True)) if found else _NOBODY
        n_positions = sum(part.n_positions for part in answers[wording.name])
        prices.append(n_positions / max(1, sum(len(part.ids) for part in answers[wording.name])))
        costs = np.round(prices[-1] + lengths - lengths.mean() if found else lengths).astype(np.int64)
        glitch[where[passed]] = False
        if number < N_ASKED:
            positions[where] += costs
        elif wording in further:
            settling[where] += costs
            settled[where[passed]] = False
    price = QueryPrice(prices[0], int(positions.max()), int(settling.max())) if len(ids) else QueryPrice()
    return Truth(
        ids, glitch, fails, margin, positions, settled, settling, price, tuple(wording.name for wording in used),
        tuple(wording.family.value for wording in used), calibration,
    )  # fmt: skip


def _ids_of(wordings: Sequence[Wording], answers: dict[str, list[WordingAnswers]]) -> set[int]:
    """The tokens that were asked in any of these wordings."""
    return {i for wording in wordings for part in answers[wording.name] for i in part.ids.tolist()}
