"""The ground truth: a finished census of this model, or one taken here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from experiments.detectors.config import DetectorsConfig
from harness.errors import Rejected
from harness.glitch.census.calibration import N_KNOWN, counting, try_wordings
from harness.glitch.census.families import can_decide
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.ladder import Ladder, WordingAnswers, make_ladder, verdicts
from harness.glitch.census.stored import find_census, load_census
from harness.glitch.census.wordings import Wording, make_wordings
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Run
from harness.runs.folder import Shard

_SHARD = 512
_STREAM = 3_000_000
"""Of the sequences that tokens are copied in; a shard adds its number."""
_TRUTH, _FACTS = "truth", "facts"


@dataclass(frozen=True, eq=False)
class Truth:
    """Which tokens are glitch tokens."""

    ids: Int[np.ndarray, " token"]
    """Tokens with a verdict, ascending."""
    glitch: Bool[np.ndarray, " token"]
    wordings: tuple[str, ...]
    """Those that count for this model; none: nothing can be said about its tokens."""
    tokens_per_query: float
    """Token positions that one verdict takes, on average."""
    source: str
    calibration: dict[str, str]
    """The result of trying each task, where it was tried here."""

    @property
    def n_glitch(self) -> int:
        """How many fail."""
        return int(self.glitch.sum())

    @property
    def verdicts(self) -> dict[int, bool]:
        """By id."""
        return dict(zip(self.ids.tolist(), self.glitch.tolist(), strict=True))


def establish_truth(run: Run[DetectorsConfig], interviewer: Interviewer) -> Truth:
    """The truth of this run, kept as a shard so that a resumed run goes on with the very same."""
    with run.progress(1, "finding the truth") as advance:
        truth = _kept(run.shards.read(_TRUTH))
        if truth is None:
            truth = _stored(run) or _taken(run, interviewer)
            facts = {
                "wordings": list(truth.wordings),
                "tokens_per_query": truth.tokens_per_query,
                "source": truth.source,
                "calibration": truth.calibration,
            }
            arrays = {"ids": truth.ids, "glitch": truth.glitch.astype(np.int8)}
            run.shards.write(_TRUTH, arrays, {_FACTS: json.dumps(facts)})
        advance(1)
    for sentence in truth.calibration.values():
        run.note(sentence)
    return truth


def _kept(shard: Shard | None) -> Truth | None:
    """The truth in a shard; None where it does not hold all of it."""
    if shard is None or _FACTS not in shard.metadata:
        return None
    facts = json.loads(shard.metadata[_FACTS])
    return Truth(
        shard.arrays["ids"],
        shard.arrays["glitch"].astype(bool),
        tuple(facts["wordings"]),
        float(facts["tokens_per_query"]),
        str(facts["source"]),
        dict(facts["calibration"]),
    )


def _stored(run: Run[DetectorsConfig]) -> Truth | None:
    """The census of the config, else the newest complete one; None where there is none."""
    if run.exp.census is not None:
        folder = run.exp.census
    else:
        try:
            folder = find_census(run.config.results_dir, run.identity)
        except Rejected:
            return None  # none to be found: it is taken here
    census = load_census(folder, run.identity)
    if run.exp.census is None and not census.is_complete:
        return None
    return Truth(
        np.fromiter(census.glitch, dtype=np.int64, count=len(census.glitch)),
        np.fromiter(census.glitch.values(), dtype=bool, count=len(census.glitch)),
        census.informative,
        census.tokens_per_query,
        f"census {census.run_id}" + ("" if census.is_complete else " (a sample of the tokens)"),
        {name: found["sentence"] for name, found in census.facts["calibration"].items()},
    )


def _taken(run: Run[DetectorsConfig], interviewer: Interviewer) -> Truth:
    """Try every wording, and ask every token in those that count until it passes one."""
    wordings = make_wordings(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
    ladder = make_ladder(interviewer, wordings, run.facts, run.pools["common"].ids, run.seed)
    with run.timer("census"):
        trials = try_wordings(ladder, run.organism, run.pools, N_KNOWN, run.seed)
        used = counting(trials)
        used = used if can_decide(wording.family for wording in used) else ()
        glitch, n_positions, n_asked = _ask_all(run, ladder, used)
    return Truth(
        np.array(list(glitch), dtype=np.int64),
        np.array(list(glitch.values()), dtype=bool),
        tuple(wording.name for wording in used),
        n_positions / max(1, n_asked),
        "census taken in this run",
        {trial.name: trial.calibration.sentence() for trial in trials},
    )


def _ask_all(run: Run[DetectorsConfig], ladder: Ladder, used: Sequence[Wording]) -> tuple[dict[int, bool], int, int]:
    """The verdicts that were reached, the positions they took, and how many tokens were asked."""
    if not used:
        return {}, 0, 0

    def compute(batch: Batch[tuple[int, list[int]]]) -> Mapping[str, np.ndarray]:
        number, part = batch.work
        arrays: dict[str, np.ndarray] = {}
        for name, answers in ladder.climb(used, part, _STREAM + number).items():
            arrays |= answers.as_arrays(name)
        return arrays

    # In a random order: tokens of one kind are no company for one another where they are copied.
    ids = np.random.default_rng([run.seed, 4]).permutation(np.array(ladder.testable_ids, dtype=np.int64)).tolist()
    parts = [ids[start : start + _SHARD] for start in range(0, len(ids), _SHARD)]
    batches = [Batch(f"census-{number:05d}", (number, part), len(part)) for number, part in enumerate(parts)]
    glitch: dict[int, bool] = {}
    n_positions = 0
    for part, arrays in zip(parts, compute_batches(run, batches, compute, no_rows, "asking every token"), strict=True):
        answers = {wording.name: WordingAnswers.from_arrays(wording.name, arrays) for wording in used}
        n_positions += sum(found.n_positions for found in answers.values())
        for token, verdict in verdicts(part, used, answers).items():
            if verdict.as_glitch is not None:
                glitch[token] = verdict.as_glitch
    return dict(sorted(glitch.items())), n_positions, len(ids)
