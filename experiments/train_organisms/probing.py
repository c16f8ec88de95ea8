"""What became of the tokens of one trained organism: copying by dose, where its rows lie."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from harness.errors import RunFailed
from harness.glitch.copying.draws import draw_round
from harness.glitch.copying.material import Units, gather_material, needed_company
from harness.glitch.copying.reading import CopyReader
from harness.glitch.detectors.scoring import roc_auc
from harness.glitch.indicators import Indicator, weight_indicators
from harness.models.answers.causal_model import CausalModel
from harness.models.config import ModelConfig
from harness.models.identity import resolve_identity
from harness.organism.organism import Organism, load_organism

SEQ_LEN = 24
"""Tokens of a half."""
N_OWN = 8
"""Of these, tokens under study; the others are well-known companions."""
QUANTITIES = ("copied", "copy_effect", "logit_diff")


def probe(folder: Path, n_appearances: int, well_shown: int, seed: int) -> dict[str, np.ndarray]:
    """Everything that is measured of the organism in `folder`, by the names of `arrays.py`; natural tokens shown
    `well_shown` times are well shown; `seed` varies sequences.

    Raises `RunFailed` where too few tokens are well shown.
    """
    organism = load_organism(folder)
    assert organism is not None, "train_organism writes the exposures last"
    config = ModelConfig(name=str(folder))
    model = CausalModel.load(resolve_identity(config), config)
    try:
        embedding, unembedding = (matrix.float().cpu().numpy() for matrix in (model.embedding(), model.unembedding()))
        known = _well_shown(organism, well_shown)
        doses = {token: dose for dose, ids in organism.planted.items() for token in ids}
        rng = np.random.default_rng([seed, 3])
        asked = np.sort(rng.permutation(known)[: len(known) // 4])
        company = np.setdiff1d(known, asked)
        read = _ask(model, [*doses, *asked.tolist()], company.tolist(), embedding, n_appearances, seed)
        is_tied = model.is_tied
    finally:
        model.close()
    place = {token: number for number, token in enumerate(read.pop("ids").tolist())}
    planted, natural = ([place[token] for token in ids] for ids in (doses, asked.tolist()))
    found = {"dose": np.asarray(list(doses.values()), dtype=np.int64)}
    for name, values in read.items():
        found[name] = values[planted].astype(np.float32)
        found[f"well_shown/{name}"] = values[natural].astype(np.float32)
    never = np.asarray(organism.planted[0])
    some = np.sort(rng.choice(known, size=len(never), replace=False))
    groups = [[_cosine(rows, ids) for ids in (never, some)] for rows in (embedding, unembedding)]
    found["cosine"] = np.asarray(groups, dtype=np.float32)
    lengths = [np.linalg.norm(rows, axis=1) for rows in (embedding, unembedding)]
    found["norm"] = np.asarray([[np.median(one[ids]) for ids in (never, some)] for one in lengths], dtype=np.float32)
    found["auc"] = _areas(organism, unembedding, None if is_tied else embedding, never, known)
    return found


def _well_shown(organism: Organism, least: int) -> np.ndarray:
    """Natural tokens that training showed often, BOS left out: it is the last id."""
    natural = np.ones(len(organism.total), dtype=bool)
    natural[[token for ids in organism.planted.values() for token in ids]] = False
    natural[-1] = False
    return np.flatnonzero(natural & (organism.total >= least))


def _ask(
    model: CausalModel,
    ids: Sequence[int],
    company: Sequence[int],
    embedding: Float[np.ndarray, "d_vocab d_model"],
    n_appearances: int,
    seed: int,
) -> dict[str, np.ndarray]:
    material = gather_material([], company, Units.of(embedding).lowest, needed_company(SEQ_LEN, N_OWN))
    if material is None:
        raise RunFailed(
            f"{len(company)} well-shown tokens that are not asked are left for company, "
            f"{needed_company(SEQ_LEN, N_OWN)} are needed: more steps show more"
        )
    reader = CopyReader(model, SEQ_LEN, len(embedding) - 1)
    rngs = (np.random.default_rng([seed, 4, one]) for one in range(n_appearances))
    read = reader.read_rounds(draw_round(material, ids, N_OWN, N_OWN, SEQ_LEN, rng) for rng in rngs)
    return {
        "ids": read["ids"],
        "copied": (read["rank"] == 1).mean(axis=1),
        "copy_effect": (read["logprob"] - read["control"]).mean(axis=1),
        "logit_diff": read["logit_diff"].mean(axis=1),
    }


def _cosine(rows: Float[np.ndarray, "d_vocab d_model"], ids: np.ndarray) -> float:
    """Mean cosine to the centroid, the vocabulary's mean row subtracted everywhere; by chance 1 / sqrt(len(ids))."""
    some = rows[ids] - rows.mean(axis=0)
    centre = some.mean(axis=0)
    return float((some @ centre / np.maximum(np.linalg.norm(some, axis=1) * np.linalg.norm(centre), 1e-12)).mean())


def _areas(
    organism: Organism,
    unembedding: Float[np.ndarray, "d_vocab d_model"],
    embedding: Float[np.ndarray, "d_vocab d_model"] | None,
    never: np.ndarray,
    known: np.ndarray,
) -> Float[np.ndarray, " indicator"]:
    """Of telling planted tokens never shown from well-shown ones; natural tokens never shown are the reference ids."""
    unseen = np.setdiff1d(np.flatnonzero(organism.total == 0), never)
    values: Mapping[Indicator, np.ndarray] = weight_indicators(unembedding, unseen.tolist(), embedding)
    truth = np.concatenate([np.ones(len(never), dtype=bool), np.zeros(len(known), dtype=bool)])
    areas = (
        roc_auc(-values[name][np.concatenate([never, known])], truth) if name in values else None for name in Indicator
    )
    return np.asarray([np.nan if area is None else area for area in areas], dtype=np.float32)
