"""GlitchMiner: follow the gradient of the next token's entropy through the embedding, a batch of neighbours at a time.

Source: Wu et al. 2024, arXiv 2410.15052, section "Method"; public code wooozihui/GlitchMiner @77cf15b, miner.py. As
there, a token's verdict is the miner's own: the likeliest next token of its prompt is not the token. One pass gives
entropy and verdict, so a token costs one query whatever a verdict of the census costs; the pass for each gradient
costs one more, which the published counts of queries leave out. No confirmation by other prompts (the code's "strict"
mode costs three times as much).
"""

from dataclasses import dataclass

import numpy as np

from harness.constraints import Count
from harness.errors import FieldRejected, RunFailed
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView, Passes


@dataclass(frozen=True)
class GlitchMiner(Detector):
    """The miner with its settings. Nothing in it is random."""

    name = "glitchminer"
    is_random = False

    batch_size: Count = 8
    """Tokens tested in one iteration. Code: 8."""
    k: int = 32
    """Neighbours a batch is chosen from. Code: 32."""

    def __post_init__(self) -> None:
        if self.k < self.batch_size:
            raise FieldRejected.key("k", self.k, f"batch_size ({self.batch_size}) or more")

    def obstacle(self, passes: Passes) -> str | None:
        """Its prompt."""
        return None if passes.can_measure_uncertainty else "its prompt does not fit the model's window"

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:  # noqa: ARG002
        """As `Detector.detect`. Raises `RunFailed` where the model cannot be run or its prompt does not fit."""
        if view.passes is None or self.obstacle(view.passes):
            raise RunFailed("GlitchMiner needs passes of its prompt through the model, which does not fit")
        ledger = Ledger(view, oracle, budget)
        ids = view.ids if view.normal_ids is None else view.ids[np.isin(view.ids, list(view.normal_ids))]
        scores = np.zeros(view.n)
        if not len(ids):
            return ledger.result(scores)
        rows = view.unembedding[ids].astype(np.float64)
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        is_open = np.ones(len(ids), dtype=bool)
        current = int(np.linalg.norm(view.embedding[ids].astype(np.float64), axis=1).argmin())
        while ledger.left >= 2 and is_open.any():
            local = view.passes.entropy_gradient(int(ids[current]))
            ledger.pay_passes(1, local.n_positions)
            near = np.flatnonzero(is_open)
            likeness = unit[near] @ unit[current]
            near = near[np.argsort(-likeness, kind="stable")[: self.k]]
            estimate = local.entropy + (rows[near] - rows[current]) @ local.gradient.astype(np.float64)
            scores[view.place[ids[near]]] = np.maximum(estimate, 0)
            batch = near[np.argsort(-estimate, kind="stable")[: min(self.batch_size, ledger.left)]]
            entropy = self._query(ledger, view.passes, ids[batch])
            is_open[batch] = False
            current = int(batch[entropy.argmax()])
        return ledger.result(scores)

    def _query(self, ledger: Ledger, passes: Passes, ids: np.ndarray) -> np.ndarray:
        found = passes.uncertainty(ids.tolist())
        positions = found.n_positions
        for token, predicted in zip(ids.tolist(), found.predicts_token, strict=True):
            ledger.pay_passes(1, positions)
            positions = 0
            ledger.judge(token, not predicted)
        return found.entropy
