"""GlitchMiner: follow the gradient of the next token's entropy through the embedding, a batch of neighbours at a time.

Source: Wu et al. 2024, arXiv 2410.15052, section "Method"; public code wooozihui/GlitchMiner @77cf15b, miner.py. As
there, a token's verdict is the miner's own: the likeliest next token of its prompt is not the token. One pass gives
entropy and verdict and is charged as such; the pass for each gradient, which the published counts leave out, is charged
once (its way back is not). No confirmation by other prompts (the code's "strict" mode costs three times as much). Its
score is the entropy: measured where it passed, estimated along the gradient for tokens it considered; it says nothing
of the others.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.constraints import Count
from harness.errors import FieldRejected, RunFailed
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView, Passes


@dataclass(frozen=True)
class GlitchMiner(Detector):
    """The miner with its settings. Nothing in it is random."""

    name = "glitchminer"
    is_published = True
    is_random = False

    batch_size: Count = 8
    """Tokens tested in one iteration. Code: 8."""
    k: int = 32
    """Neighbours a batch is chosen from. Code: 32."""

    def __post_init__(self) -> None:
        if self.k < self.batch_size:
            raise FieldRejected.key("k", self.k, f"batch_size ({self.batch_size}) or more")

    def obstacle(self, view: ModelView) -> str | None:
        """Its prompt."""
        can = view.passes is not None and view.passes.can_measure_uncertainty
        return None if can else "its prompt does not fit the model's window"

    def reports(
        self,
        view: ModelView,
        open_oracle: Callable[[], QueryOracle],
        budgets: Sequence[int | None],
        seed: int,  # noqa: ARG002
    ) -> Iterator[Report]:
        """As `Detector.reports`. Raises `RunFailed` where the model cannot be run or its prompt does not fit."""
        if view.passes is None or self.obstacle(view):
            raise RunFailed("GlitchMiner needs passes of its prompt through the model, which does not fit")
        ledger = Ledger(view, open_oracle(), 0)
        ids = view.ids if view.normal_ids is None else view.ids[np.isin(view.ids, list(view.normal_ids))]
        scores = np.full(view.n, np.nan)
        rows = view.unembedding[ids].astype(np.float64)
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        is_open = np.ones(len(ids), dtype=bool)
        length = view.passes.mining_length
        current = int(np.linalg.norm(view.embedding[ids].astype(np.float64), axis=1).argmin()) if len(ids) else 0
        for budget in budgets:
            ledger.budget = budget
            while ledger.left >= 2 * length and is_open.any():
                local = view.passes.entropy_gradient(int(ids[current]))
                ledger.pay_passes(local.n_positions)
                near = np.flatnonzero(is_open)
                near = near[np.argsort(-(unit[near] @ unit[current]), kind="stable")[: self.k]]
                estimate = local.entropy + (rows[near] - rows[current]) @ local.gradient.astype(np.float64)
                scores[view.place[ids[near]]] = np.maximum(estimate, 0)
                n = ledger.covers(self.batch_size, length)
                batch = near[np.argsort(-estimate, kind="stable")[:n]]
                entropy = self._query(ledger, view.passes, ids[batch])
                scores[view.place[ids[batch]]] = entropy
                is_open[batch] = False
                current = int(batch[entropy.argmax()])
            yield ledger.report_scores(scores)

    def _query(self, ledger: Ledger, passes: Passes, ids: np.ndarray) -> np.ndarray:
        found = passes.uncertainty(ids.tolist())
        ledger.pay_passes(found.n_positions)
        for token, predicted in zip(ids.tolist(), found.predicts_token, strict=True):
            ledger.judge(token, not predicted)
        return found.entropy
