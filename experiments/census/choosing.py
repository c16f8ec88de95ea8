"""Which tokens a census tests."""

import numpy as np

from experiments.census.config import CensusConfig, among
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.runs.context import Run


def candidates(run: Run[CensusConfig], vocabulary: CensusVocabulary) -> list[int]:
    """Every token that is not special, of those `exp.tokens` names; in order of id."""
    if run.exp.tokens is None:
        return list(vocabulary.testable_ids)
    named = set(among(run.exp.tokens, run.facts, run.seed, run.tokenizer))
    return [i for i in vocabulary.testable_ids if i in named]


def choose_tokens(run: Run[CensusConfig], vocabulary: CensusVocabulary) -> list[int]:
    """All candidates, or a sample of them drawn by the run's seed; in order of id."""
    ids = candidates(run, vocabulary)
    if run.exp.n_tokens is None or run.exp.n_tokens >= len(ids):
        return ids
    drawn = np.random.default_rng([run.seed, 3]).choice(len(ids), size=run.exp.n_tokens, replace=False)
    return [ids[place] for place in sorted(drawn.tolist())]


def what_was_asked(run: Run[CensusConfig], vocabulary: CensusVocabulary) -> str:
    """For people: every token, or which."""
    of = "every token" if run.exp.tokens is None else f"tokens {run.exp.tokens}"
    n = len(candidates(run, vocabulary))
    if run.exp.n_tokens is None or run.exp.n_tokens >= n:
        return of
    return f"{run.exp.n_tokens} of {n} tokens ({of}), seed {run.seed}"
