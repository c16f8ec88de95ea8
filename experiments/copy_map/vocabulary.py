"""What is known of every token before it is asked: who it can be mistaken for, its kind, its name, its company."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from experiments.copy_map.config import AUTO, COMMON, CopyMapConfig, n_own_of
from harness.errors import Rejected, span
from harness.glitch.copying.draws import Material
from harness.glitch.copying.material import Units, count_units, gather_material, needed_company
from harness.models.embedding_rows import EmbeddingRows
from harness.runs.context import Run
from harness.tokens.kinds import TokenKind, kinds_of
from harness.tokens.pools import Pool, resolve_pools


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The tokens of one model."""

    studied: tuple[int, ...]
    """Ids that may be asked, in the random order in which they are."""
    left_out: tuple[int, ...]
    """Ids with a job."""
    material: Material
    common: tuple[int, ...]
    """Well-known ids for the calibration."""
    common_from: str
    """Where they are from, for a sentence."""
    has_common: bool
    """False where nothing tells which tokens are well known."""
    same: Int[np.ndarray, " d_vocab"]
    """Equal for ids that the model can tell apart neither when it reads nor when it predicts."""
    alike: Int[np.ndarray, " d_vocab"]
    """How many ids the model can't tell from each, itself included, when it reads or when it predicts."""
    kinds: tuple[TokenKind, ...]
    names: tuple[str, ...]
    """As people may read them; the id where there is no tokenizer."""


def read_vocabulary(run: Run[CopyMapConfig], rows: EmbeddingRows) -> Vocabulary:
    """Gather it. Raises `Rejected` for a vocabulary with too few companions for `exp.seq_len`."""
    n_rows = min(run.facts.d_vocab, len(rows.embedding), len(rows.unembedding))
    studied = run.facts.without_a_job(range(n_rows))
    read = Units.of(rows.embedding[:n_rows])
    same, alike = read.lowest, read.size
    if not rows.is_tied:
        said = Units.of(rows.unembedding[:n_rows])
        same = np.unique(np.stack([read.lowest, said.lowest]), axis=1, return_inverse=True)[1]
        alike = np.maximum(alike, said.size)
    common, common_from = _common(run, n_rows)
    needed = needed_company(run.exp.seq_len, n_own_of(run.exp))
    material = gather_material(studied, common, read.lowest, needed)
    if material is None:
        n_different = count_units(studied, read.lowest)
        allowed = span(2, _longest(run.exp, n_different))
        raise Rejected(
            f"exp.seq_len: got {run.exp.seq_len}, allowed: {allowed}: a pair of halves takes up to {needed} tokens, "
            f"and the model can tell {n_different} apart"
        )
    order = np.random.default_rng([run.seed, 0]).permutation(material.bystanders)
    return Vocabulary(
        studied=tuple(order.tolist()),
        left_out=tuple(sorted(set(range(n_rows)).difference(studied))),
        material=material,
        common=tuple(common) if common else tuple(order.tolist()),
        common_from=common_from,
        has_common=bool(common),
        same=same,
        alike=alike,
        kinds=kinds_of(run.evidence.audit, run.tokenizer if run.has_tokenizer else None, n_rows),
        names=tuple(run.shown(token) for token in range(n_rows)),
    )


def _longest(exp: CopyMapConfig, n_company: int) -> int:
    """The longest half for which there are enough tokens; 0 where there is none."""
    fits = (n for n in range(exp.seq_len, 1, -1) if needed_company(n, n_own_of(replace(exp, seq_len=n))) <= n_company)
    return next(fits, 0)


def _common(run: Run[CopyMapConfig], n_rows: int) -> tuple[list[int], str]:
    """Well-known ids that may be asked, and where they are from; none where nothing tells."""
    allowed = set(run.facts.without_a_job(range(run.facts.d_vocab)))
    pool = _common_pool(run)
    if pool is None:
        return [], "random tokens, since nothing tells which are well known"
    return [token for token in pool.ids if token in allowed and token < n_rows], f"pool common: {pool.label}"


def _common_pool(run: Run[CopyMapConfig]) -> Pool | None:
    if run.config.pools.get(COMMON, AUTO) != AUTO:
        found: Pool = run.pools[COMMON]
        return found
    try:
        tokenizer = run.tokenizer if run.has_tokenizer else None
        return resolve_pools({COMMON: AUTO}, run.facts, run.seed, tokenizer)[COMMON]
    except Rejected:  # no tokenizer, or no plain text in it
        return None
