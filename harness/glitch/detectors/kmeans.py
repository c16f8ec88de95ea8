"""The way the first glitch tokens were found: what lies nearest to cluster centroids, then nearest to the middle.

Source: Rumbelow & Watkins 2023 ("SolidGoldMagikarp" and its sequel): k-means on the input embedding with Euclidean
distances; odd tokens kept turning up nearest to centroids, then nearest to the centroid of all embeddings. The sequel
says that the latter holds for GPT-2 small and GPT-J and is the wrong way round for GPT-2 XL.
"""

from dataclasses import dataclass

import numpy as np

from harness.constraints import Count, Whole
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class KMeansCentroids(Detector):
    """Asks the tokens nearest to every centroid, then those nearest to the centroid of all."""

    name = "kmeans"

    n_clusters: Count = 100
    """The posts' own number is unknown, and so is that of the baseline in GlitchHunter's paper."""
    per_cluster: Whole = 1
    """Tokens nearest to each centroid that are queried before the rest. The posts looked at a handful by eye."""

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """As `Detector.detect`."""
        # Composing a config imports this module, and is to stay fast.
        from sklearn.cluster import KMeans

        ledger = Ledger(view, oracle, budget)
        rows = view.embedding[view.ids].astype(np.float32)
        k = min(self.n_clusters, len(np.unique(rows, axis=0)))
        found = KMeans(k, n_init=1, random_state=seed).fit(rows)
        own = np.linalg.norm(rows - found.cluster_centers_[found.labels_], axis=1)
        order: list[int] = []
        for cluster in range(k):
            members = np.flatnonzero(found.labels_ == cluster)
            order += members[np.argsort(own[members], kind="stable")][: self.per_cluster].tolist()
        from_middle = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
        order += np.argsort(from_middle, kind="stable").tolist()
        ledger.query_what_fits(view.ids[list(dict.fromkeys(order))[: ledger.tokens_left]].tolist())
        return ledger.result(-from_middle.astype(np.float64))
