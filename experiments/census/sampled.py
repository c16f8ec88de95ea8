"""How often a token fails where answers are sampled: a graded answer beside the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from experiments.census.config import CensusConfig
from harness.glitch.census.interviewer import Interviewer
from harness.glitch.census.wordings import Wording
from harness.models.answers.sampling import Cutoff, Sampled
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Run

_SHARD = 64


@dataclass(frozen=True, eq=False)
class SampledAnswers:
    """Failures of some tokens, each asked equally often in one wording."""

    wording: str
    ids: Int[np.ndarray, " token"]
    failures: Int[np.ndarray, " token"]
    trials: int


def sample_answers(
    run: Run[CensusConfig], interviewer: Interviewer, wording: Wording, ids: Sequence[int]
) -> SampledAnswers:
    """`exp.n_samples` answers for each id at `exp.temperature`, from the whole distribution."""
    question, n = wording.question, run.exp.n_samples
    assert question is not None, "copying has no answers to be sampled"
    cutoff = Cutoff(top_k=0, top_p=1.0, temperature=run.exp.temperature)

    def compute(batch: Batch[list[int]]) -> Mapping[str, np.ndarray]:
        some = [token for token in batch.work if interviewer.has_answer(question, token)]
        asked = [token for token in some for _ in range(n)]
        # Every token and trial draws from its own stream: the answers do not depend on the batch.
        seeds = [(run.seed, 9, token, trial) for token in some for trial in range(n)]
        answers = interviewer.ask(question, asked, choose=Sampled(cutoff, seeds, question.max_new_tokens)).answers
        wrong = np.array([not answer.judgement.passed for answer in answers], dtype=np.int64).reshape(-1, n)
        return {"ids": np.array(some, dtype=np.int64), "failures": wrong.sum(axis=1)}

    parts = [list(ids[start : start + _SHARD]) for start in range(0, len(ids), _SHARD)]
    batches = [Batch(f"sampled-{number:05d}", part, len(part)) for number, part in enumerate(parts)]
    found = compute_batches(run, batches, compute, no_rows, "sampling answers")
    return SampledAnswers(
        wording.name, np.concatenate([one["ids"] for one in found]),
        np.concatenate([one["failures"] for one in found]), n,
    )  # fmt: skip
