"""Which tokens are mended, which are healthy, and which are mended by mistake."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from experiments.repair.config import RepairConfig
from experiments.repair.wordings import Wordings
from harness.errors import Rejected
from harness.glitch.census.ladder import Ladder, verdicts
from harness.glitch.census.stored import Census, find_census, load_census
from harness.glitch.census.verdict import Verdict
from harness.glitch.census.wordings import Wording
from harness.runs.batches import Batch, compute_batches, no_rows
from harness.runs.context import Run

_SHARD = 256
_CANDIDATES, _HEALTHY = 5_000_000, 6_000_000
"""Streams of the sequences that tokens are copied in; a shard adds its number."""
_SPARE = 1.25
"""So many more tokens are asked than healthy ones are wanted: some of them fail."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """All that are asked, before and after; no two groups share one."""

    glitch: Int[np.ndarray, " token"]
    """Fail every wording that counts, ascending: what is mended."""
    held_out: Bool[np.ndarray, " token"]
    """Those that no method chooses anything by."""
    suspects: frozenset[int]
    """Everything that is taken for a glitch token, mended or not."""
    healthy: Int[np.ndarray, " healthy"]
    """Pass a held-out wording, a random sample, in random order."""
    mistaken: Int[np.ndarray, " mistaken"]
    """Others that do, as many as are mended where there are as many: what a wrong detector would have mended."""
    source: str
    """Where the glitch tokens are from, for a sentence."""


def choose_tokens(run: Run[RepairConfig], ladder: Ladder, wordings: Wordings) -> Tokens:
    """Ask candidates until they pass a wording that counts, and random others until they pass a held-out one."""
    candidates, source = _candidates(run, ladder)
    failing = _glitch(run, ladder, wordings, candidates)
    rng = np.random.default_rng([run.seed, 11])
    glitch = np.sort(rng.permutation(np.array(sorted(failing), dtype=np.int64))[: run.exp.n_tokens])
    n_fitting = max(1, round(run.exp.fitting_share * len(glitch))) if len(glitch) > 1 else 0
    held_out = np.ones(len(glitch), dtype=bool)
    held_out[rng.permutation(len(glitch))[:n_fitting]] = False
    suspects = frozenset(failing)
    healthy = _healthy(run, ladder, wordings, suspects | set(candidates), run.exp.n_healthy + len(glitch))
    n = min(run.exp.n_healthy, max(1, len(healthy) - len(glitch)))
    return Tokens(glitch, held_out, suspects, healthy[:n], np.sort(healthy[n:]), source)


def _candidates(run: Run[RepairConfig], ladder: Ladder) -> tuple[list[int], str]:
    """Tokens that may be glitch tokens, in a random order: tokens of one kind don't keep each other company."""
    testable = set(ladder.testable_ids)
    rng = np.random.default_rng([run.seed, 10])
    if run.exp.token_ids:
        ids, source = sorted(testable.intersection(run.exp.token_ids)), "those named in exp.token_ids"
    elif (census := _census(run)) is not None:
        ids, source = sorted(testable.intersection(census.glitch_ids)), f"the glitch tokens of census {census.run_id}"
    else:
        ids, source = sorted(testable), f"{min(run.exp.n_searched, len(testable))} random ones"
        return rng.permutation(np.array(ids, dtype=np.int64))[: run.exp.n_searched].tolist(), source
    return rng.permutation(np.array(ids, dtype=np.int64)).tolist(), source


def _census(run: Run[RepairConfig]) -> Census | None:
    if run.exp.census is not None:
        return load_census(run.exp.census, run.identity)
    try:
        return load_census(find_census(run.config.results_dir, run.identity), run.identity)
    except Rejected:
        return None


def _glitch(run: Run[RepairConfig], ladder: Ladder, wordings: Wordings, candidates: Sequence[int]) -> set[int]:
    """Those that fail every wording that counts, in two families."""
    parts = _climb(run, ladder, "candidates", candidates, wordings.all, _CANDIDATES)
    return {token for part in parts for token, verdict in part.items() if verdict is Verdict.GLITCH}


def _healthy(
    run: Run[RepairConfig], ladder: Ladder, wordings: Wordings, others: set[int] | frozenset[int], n: int
) -> Int[np.ndarray, " token"]:
    """At most `n` tokens that pass, none of `others`."""
    free = np.array([token for token in ladder.testable_ids if token not in others], dtype=np.int64)
    asked = np.random.default_rng([run.seed, 12]).permutation(free)[: int(_SPARE * n)].tolist()
    parts = _climb(run, ladder, "healthy", asked, wordings.held_out, _HEALTHY)
    passing = [token for part in parts for token, verdict in part.items() if verdict is Verdict.NOT_GLITCH]
    return np.array(passing[:n], dtype=np.int64)


def _climb(
    run: Run[RepairConfig], ladder: Ladder, name: str, ids: Sequence[int], wordings: Sequence[Wording], stream: int
) -> list[dict[int, Verdict]]:
    """Verdicts of tokens by some wordings, shard by shard, in their order."""
    parts = [list(ids[start : start + _SHARD]) for start in range(0, len(ids), _SHARD)]

    def compute(batch: Batch[tuple[int, list[int]]]) -> dict[str, np.ndarray]:
        number, some = batch.work
        found = verdicts(some, wordings, ladder.climb(wordings, some, stream + number))
        order = list(Verdict)
        return {"verdict": np.array([order.index(found[token]) for token in some], dtype=np.int64)}

    batches = [Batch(f"{name}-{number:04d}", (number, part), len(part)) for number, part in enumerate(parts)]
    shards = compute_batches(run, batches, compute, no_rows, f"asking {name}")
    order = list(Verdict)
    return [
        {token: order[place] for token, place in zip(part, shard["verdict"].tolist(), strict=True)}
        for part, shard in zip(parts, shards, strict=True)
    ]
