"""Where one token's rows stand among all rows: indicators with ranks, and neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.token_card.config import TokenCardConfig
from harness.errors import Rejected
from harness.glitch.census.vocabulary import CensusVocabulary
from harness.glitch.indicators import UnusedIds, known_unused_ids, main_indicator, weight_indicators
from harness.measure.row_checks import check_rows
from harness.models.answers.causal_model import CausalModel
from harness.runs.context import Run
from harness.tokens.text import shown


@dataclass(frozen=True)
class RowFacts:
    """Numbers from the weights for every token, and the neighbours of one."""

    values: Mapping[str, Float[np.ndarray, " d_vocab"]]
    main: str | None
    """The indicator candidates are chosen by; None where no unused ids are known and so none applies."""
    unused: UnusedIds
    neighbours: Mapping[str, list[dict[str, Any]]]

    def standing(self, token_id: int) -> list[dict[str, Any]]:
        """Value and rank of one token by every number; 1: the lowest of all."""
        found = []
        for name, values in self.values.items():
            below, same = int((values < values[token_id]).sum()), int((values == values[token_id]).sum())
            found.append(
                {
                    "name": name,
                    "value": float(values[token_id]),
                    "rank": below + 1,
                    "same": same,
                    "n": len(values),
                    "median": float(np.median(values)),
                    "is_main": name == self.main,
                }
            )
        return found


def read_rows(run: Run[TokenCardConfig], model: CausalModel, token_id: int, vocabulary: CensusVocabulary) -> RowFacts:
    """Indicators, lengths and nearest neighbours (cosine) in every matrix the model has."""
    d_vocab = run.facts.d_vocab
    matrices = {"output": model.unembedding().float().cpu().numpy()[:d_vocab]}
    if not model.is_tied:
        matrices["input"] = model.embedding().float().cpu().numpy()[:d_vocab]
    for name, rows in matrices.items():
        check_rows(rows, f"{name} embedding")
    try:
        unused = known_unused_ids(run.evidence, run.exp.unused_ids)
    except Rejected:
        run.note("No ids are known to be unused (exp.unused_ids): distances to unused rows are left out.")
        unused = UnusedIds((), "none known")
    lengths = {f"norm_{name}": np.linalg.norm(rows.astype(np.float64), axis=1) for name, rows in matrices.items()}
    main = None
    indicators: dict[str, np.ndarray] = {}
    if unused.ids or not model.is_tied:
        found = weight_indicators(matrices["output"], unused.ids, matrices.get("input"))
        indicators = {name.value: values for name, values in found.items() if name.value != "input_norm"}
        named = main_indicator(model.is_tied).value
        main = "norm_input" if named == "input_norm" else named
    nearest = {
        name: [
            {"id": i, "token": shown(vocabulary.names[i]), "similarity": similarity}
            for i, similarity in _nearest(rows, token_id, run.exp.n_neighbours)
        ]
        for name, rows in matrices.items()
    }
    return RowFacts(indicators | lengths, main, unused, nearest)


def _nearest(rows: Float[np.ndarray, "d_vocab d_model"], token_id: int, k: int) -> list[tuple[int, float]]:
    """The k rows most like one by cosine, which is 0 for a row of zeros; equal ones in order of id."""
    lengths = np.linalg.norm(rows, axis=1)
    products = lengths * lengths[token_id]
    similarity = np.divide(rows @ rows[token_id], products, out=np.zeros(len(rows), rows.dtype), where=products > 0)
    similarity[token_id] = -np.inf
    order = np.argsort(-similarity, kind="stable")[: min(k, len(rows) - 1)]
    return [(int(i), float(similarity[i])) for i in order]
