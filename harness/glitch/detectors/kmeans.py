"""The way the first glitch tokens were found: what lies nearest to cluster centroids, then nearest to the middle.

Source: Rumbelow & Watkins 2023 ("SolidGoldMagikarp" and its sequel): k-means on the input embedding with Euclidean
distances; odd tokens kept turning up nearest to centroids, then nearest to the centroid of all embeddings. The sequel
says that the latter holds for GPT-2 small and GPT-J and is the wrong way round for GPT-2 XL.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from harness.constraints import Count, Whole
from harness.glitch.detectors.detector import OrderedDetector
from harness.glitch.detectors.view import ModelView


@dataclass(frozen=True)
class KMeansCentroids(OrderedDetector):
    """Queries the tokens nearest to every centroid, then those nearest to the centroid of all; that distance is the
    score."""

    name = "kmeans"
    is_published = True

    n_clusters: Count = 100
    """The posts' own number is unknown, and so is that of the baseline in GlitchHunter's paper."""
    per_cluster: Whole = 1
    """Tokens nearest to each centroid that are queried before the rest. The posts looked at a handful by eye."""

    def order(self, view: ModelView, rng: np.random.Generator) -> Int[np.ndarray, " some"]:
        """Nearest to a centroid first."""
        # Composing a config imports this module, and is to stay fast.
        from sklearn.cluster import KMeans

        rows = view.embedding[view.ids].astype(np.float32)
        k = min(self.n_clusters, len(np.unique(rows, axis=0)))
        found = KMeans(k, n_init=1, random_state=int(rng.integers(2**31))).fit(rows)
        own = np.linalg.norm(rows - found.cluster_centers_[found.labels_], axis=1)
        order: list[int] = []
        for cluster in range(k):
            members = np.flatnonzero(found.labels_ == cluster)
            order += members[np.argsort(own[members], kind="stable")][: self.per_cluster].tolist()
        order += np.argsort(_from_middle(view), kind="stable").tolist()
        return np.array(list(dict.fromkeys(order)), dtype=np.int64)

    def scores(self, view: ModelView, answers: Mapping[int, bool]) -> Float[np.ndarray, " token"]:  # noqa: ARG002
        """High near the middle."""
        return -_from_middle(view)


def _from_middle(view: ModelView) -> Float[np.ndarray, " token"]:
    rows = view.embedding[view.ids].astype(np.float64)
    found: np.ndarray = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    return found
