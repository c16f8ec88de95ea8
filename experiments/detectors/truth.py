"""The ground truth: a finished census of this model, or one taken here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from experiments.detectors.config import DetectorsConfig
from harness.errors import Rejected
from harness.glitch.census.calibration import calibrate, well_known
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.questions import Question, census_questions
from harness.glitch.census.stored import find_census, load_census
from harness.glitch.detectors.live_oracle import LiveOracle
from harness.runs.batches import Batch, compute_batches
from harness.runs.context import Run
from harness.runs.folder import Shard
from harness.tokens.prompts import Task

_SHARD = 512
_TRUTH, _FACTS = "truth", "facts"


@dataclass(frozen=True, eq=False)
class Truth:
    """Which tokens are glitch tokens."""

    ids: Int[np.ndarray, " token"]
    """Tokens with a verdict, ascending."""
    glitch: Bool[np.ndarray, " token"]
    tasks: tuple[Task, ...]
    """Those that count for this model; none: nothing can be said about its tokens."""
    tokens_per_query: float
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
                "tasks": [task.value for task in truth.tasks],
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
        tuple(Task(name) for name in facts["tasks"]),
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
    """Ask every token every task that counts."""
    questions = census_questions(run.tokenizer, run.facts, run.exp.bos, run.exp.chat)
    with run.timer("census"):
        calibrations = {
            task: calibrate(interviewer, question, well_known(task, run.organism, run.pools))
            for task, question in questions.items()
        }
        counting = [questions[task] for task, found in calibrations.items() if found.is_informative]
        ids = [i for i in interviewer.vocabulary.testable_ids if any(interviewer.has_answer(q, i) for q in counting)]
        glitch, n_positions = _ask_all(run, interviewer, counting, ids)
    return Truth(
        np.asarray(ids, dtype=np.int64),
        glitch,
        tuple(question.task for question in counting),
        n_positions / max(1, len(ids) * len(counting)),
        "census taken in this run",
        {task.value: found.sentence() for task, found in calibrations.items()},
    )


def _ask_all(
    run: Run[DetectorsConfig], interviewer: Interviewer, questions: list[Question], ids: list[int]
) -> tuple[Bool[np.ndarray, " token"], int]:
    if not questions:
        return np.zeros(len(ids), dtype=bool), 0

    def compute(batch: Batch[list[int]]) -> Mapping[str, np.ndarray]:
        oracle = LiveOracle(interviewer, questions)
        verdicts = oracle.query(batch.work)
        return {"glitch": np.asarray(verdicts, dtype=np.int8), "n_positions": np.array([oracle.tokens_processed])}

    parts = [ids[start : start + _SHARD] for start in range(0, len(ids), _SHARD)]
    batches = [Batch(f"census-{number:05d}", part, len(part)) for number, part in enumerate(parts)]
    found = compute_batches(run, batches, compute, _no_rows, "asking every token")
    glitch = np.concatenate([arrays["glitch"] for arrays in found]).astype(bool)
    return glitch, sum(int(arrays["n_positions"][0]) for arrays in found)


def _no_rows(_: Any, __: Any) -> list[dict[str, Any]]:
    return []
