"""GlitchProber: learn from a sample what glitch tokens do inside the model, and classify all others by it.

Source: Zhang et al. 2024, arXiv 2408.04905, Algorithm 1 (code: LLM-Integrity-Guard/GlitchProber @ccefeda):
attention pattern, gate and data of the MLP in key layers during the first pass of the repetition prompt, PCA, a support
vector machine with a polynomial kernel; predicted glitch tokens are tested again. Adaptations, all ours: activations
are read at the prompt's last position (the paper's is unknown); labels are verdicts of the census (the paper:
repetition only); an MLP without a gate (GPT-2) gives its hidden layer after the non-linearity in place of gate and
data; what is left of the budget goes to re-tests, surest first, and predictions it does not reach are reported as they
are. Every token outside the sample takes one pass for its activations. No budget below the whole vocabulary covers
that: these passes are counted beyond it.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from harness.constraints import Count, Share, must_be
from harness.errors import FieldRejected, RunFailed
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import DetectionResult, Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView, Passes

_CHUNK = 2048


@dataclass(frozen=True)
class GlitchProber(Detector):
    """The probe with its settings."""

    name = "glitchprober"
    scores_unqueried = True

    n_components: Count = 75
    """Principal components of the activations. Paper and code: 75 (50 to 200 advised)."""
    degree: Count = 3
    """Of the polynomial kernel. Paper and code: 3."""
    c: Annotated[float, must_be("a number above 0", lambda c: c > 0)] = 1.0
    """Softness of the margin. Paper: 1; code: 0.5."""
    is_balanced: bool = True
    """Whether both classes weigh the same. Code: yes; the paper says nothing."""
    sample_share: Share = 0.5
    """Of the budget that goes to the training sample; the rest re-tests predicted glitch tokens. Paper: a sample of a
    tenth of the vocabulary, which is all of a budget of a tenth, and unlimited re-tests; the split is ours."""
    first_layer: float = 19 / 32
    last_layer: float = 28 / 32
    """Key layers as shares of the depth. Code: layers 19 to 28 of 32 (6 to 15 of 18 for gemma-2b)."""

    def __post_init__(self) -> None:
        if not 0 <= self.first_layer <= self.last_layer <= 1:
            raise FieldRejected.key("first_layer", self.first_layer, "shares of the depth, first <= last")

    @property
    def layers(self) -> tuple[float, float]:
        """First and last layer that is read, as shares of the depth."""
        return self.first_layer, self.last_layer

    def obstacle(self, passes: Passes) -> str | None:
        """Its prompt or its layers."""
        if passes.can_read_activations(self.layers):
            return None
        return "the repetition prompt does not fit, or the model has no layers it could read"

    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """As `Detector.detect`. Raises `RunFailed` where the model cannot be run or the prompt does not fit."""
        if view.passes is None or self.obstacle(view.passes):
            raise RunFailed("GlitchProber needs activations of the repetition prompt, which does not fit the model")
        ledger = Ledger(view, oracle, budget)
        rng = np.random.default_rng([seed, 5])
        n_sample = int(np.ceil(self.sample_share * ledger.tokens_left))
        sample = ledger.query_what_fits(rng.permutation(view.ids)[:n_sample].tolist())
        labels = np.array([ledger.answers[i] for i in sample], dtype=bool)
        if labels.all() or not labels.any():
            # Verdicts of one kind only cannot train a classifier: the rest of the budget is spent on random tokens.
            rest = rng.permutation(np.setdiff1d(view.ids, sample)).tolist()
            ledger.query_what_fits(rest[: ledger.tokens_left])
            return ledger.result(np.zeros(view.n))
        margin = self._margins(view, view.passes, ledger, sample, labels, seed)
        suspects = view.ids[np.argsort(-margin, kind="stable")]
        suspects = suspects[margin[view.place[suspects]] > 0]
        untested = [int(i) for i in suspects if int(i) not in ledger.answers]
        ledger.query_what_fits(untested[: ledger.tokens_left])
        predicted = {*ledger.hits, *(i for i in untested if i not in ledger.answers)}
        return ledger.result(margin, sorted(predicted))

    def _margins(
        self, view: ModelView, passes: Passes, ledger: Ledger, sample: list[int], labels: np.ndarray, seed: int
    ) -> np.ndarray:
        """Distance from the separating surface, positive for predicted glitch tokens."""
        first = passes.activations(sample, self.layers)
        if not passes.shares_activations:
            ledger.pay_beyond(len(sample), first.n_positions)
        model = self._fit(first.values, labels, seed)
        margin = np.zeros(view.n)
        margin[view.place[sample]] = model.decision_function(first.values)
        rest = np.setdiff1d(view.ids, sample)
        for start in range(0, len(rest), _CHUNK):
            some = rest[start : start + _CHUNK]
            found = passes.activations(some.tolist(), self.layers)
            ledger.pay_beyond(len(some), found.n_positions)
            margin[view.place[some]] = model.decision_function(found.values)
        return margin

    def _fit(self, values: np.ndarray, labels: np.ndarray, seed: int) -> Any:
        # Composing a config imports this module, and is to stay fast.
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import SVC

        components = min(self.n_components, len(values) - 1, values.shape[1])
        return make_pipeline(
            PCA(max(1, components), random_state=seed),
            SVC(C=self.c, kernel="poly", degree=self.degree, class_weight="balanced" if self.is_balanced else None),
        ).fit(values, labels)
