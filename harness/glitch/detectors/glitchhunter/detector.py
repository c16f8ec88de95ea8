"""GlitchHunter (Li et al., FSE 2024) as one detector among others; `hunt.py` beside this file is the method itself."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.glitchhunter.settings import GlitchHunterSettings
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class GlitchHunter(GlitchHunterSettings, Detector):
    """Hunts among the tokens of the view.

    Without a budget it hunts to its end and reports what it queried and found to fail. With one, the hunt ends where
    the budget does, and the share of a token's queried companions that fail, in the last community it was sorted into,
    is its score.
    """

    name = "glitchhunter"
    is_published = True
    ends_by_itself = True
    goes_on = False

    def reports(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> Iterator[Report]:
        """As `Detector.reports`."""
        for budget in budgets:
            yield self._hunt(view, Ledger(view, open_oracle(), budget), seed)

    def _hunt(self, view: ModelView, ledger: Ledger, seed: int) -> Report:
        # Composing a config imports this module, and is to stay fast.
        from harness.glitch.detectors.glitchhunter.first_graph import first_graph
        from harness.glitch.detectors.glitchhunter.hunt import Iteration, hunt

        settings = replace(self, k=min(self.k, view.n - 1))
        graph = first_graph(view, settings, seed)
        community = graph.communities.member_of.copy()

        def follow(iteration: Iteration) -> None:
            if iteration.number > 1:
                community[view.place[iteration.ids]] = int(community.max()) + 1 + iteration.member_of

        rows = view.embedding[view.ids].astype(np.float32)
        hunt(rows, view.ids.tolist(), ledger, settings, seed, follow, graph)
        if ledger.budget is None:
            return ledger.report(np.zeros(view.n))
        return ledger.report_scores(_failing_shares(community, view, ledger))


def _failing_shares(community: np.ndarray, view: ModelView, ledger: Ledger) -> np.ndarray:
    """Share of each token's community that fails, of those queried; NaN where none of it was."""
    n = int(community.max()) + 1
    asked = ledger.asked
    fails = np.fromiter(ledger.answers.values(), dtype=np.float64, count=len(asked))
    counts = np.bincount(community[asked], minlength=n)
    hits = np.bincount(community[asked], weights=fails, minlength=n)
    shares = np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)
    found: np.ndarray = shares[community]
    assert len(found) == view.n
    return found
