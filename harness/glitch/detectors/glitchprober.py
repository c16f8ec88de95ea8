"""GlitchProber: learn from a sample what glitch tokens do inside the model, and classify all others by it.

Source: Zhang et al. 2024, arXiv 2408.04905, Algorithm 1 (code: LLM-Integrity-Guard/GlitchProber @ccefeda):
attention pattern, gate and data of the MLP in key layers during the first pass of the repetition prompt, PCA, a support
vector machine with a polynomial kernel; predicted glitch tokens are tested again. Adaptations, all ours: activations
are read at the prompt's last position (the paper's is unknown); labels are verdicts of the oracle (the paper:
repetition only); an MLP without a gate (GPT-2) gives its hidden layer after the non-linearity in place of gate and
data.

Without a budget it runs as published: a tenth sampled, every other token passed once, every prediction re-tested. With
one, half is spent on the sample, its own passes included, and half on activations of as many random other tokens as it
covers; the score is the distance from the separating surface, cross-validated for the sample, and nothing is said of
tokens that had no pass.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from harness.constraints import Count, Share, must_be
from harness.errors import FieldRejected, RunFailed
from harness.glitch.detectors.detector import Detector
from harness.glitch.detectors.ledger import Ledger
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.report import Report
from harness.glitch.detectors.view import ModelView, Passes

_CHUNK = 2048
_FOLDS = 3


@dataclass(frozen=True)
class GlitchProber(Detector):
    """The probe with its settings."""

    name = "glitchprober"
    is_published = True
    ends_by_itself = True
    goes_on = False

    n_components: Count = 75
    """Principal components of the activations. Paper and code: 75 (50 to 200 advised)."""
    degree: Count = 3
    """Of the polynomial kernel. Paper and code: 3."""
    c: Annotated[float, must_be("a number above 0", lambda c: c > 0)] = 1.0
    """Softness of the margin. Paper: 1; code: 0.5."""
    is_balanced: bool = True
    """Whether both classes weigh the same. Code: yes; the paper says nothing."""
    sample_share: Share = 0.1
    """Of the vocabulary that is sampled where there is no budget. Paper: a tenth."""
    first_layer: float = 19 / 32
    """First layer whose activations are read, as a share of the depth."""
    last_layer: float = 28 / 32
    """Key layers as shares of the depth. Code: layers 19 to 28 of 32 (6 to 15 of 18 for gemma-2b)."""

    def __post_init__(self) -> None:
        if not 0 <= self.first_layer <= self.last_layer <= 1:
            raise FieldRejected.key("first_layer", self.first_layer, "shares of the depth, first <= last")

    @property
    def layers(self) -> tuple[float, float]:
        """First and last layer that is read, as shares of the depth."""
        return self.first_layer, self.last_layer

    def obstacle(self, view: ModelView) -> str | None:
        """Its prompt or its layers."""
        if view.passes is not None and view.passes.can_read_activations(self.layers):
            return None
        return "the repetition prompt does not fit, or the model has no layers it could read"

    def reports(
        self, view: ModelView, open_oracle: Callable[[], QueryOracle], budgets: Sequence[int | None], seed: int
    ) -> Iterator[Report]:
        """As `Detector.reports`. Raises `RunFailed` where the model cannot be run or the prompt does not fit."""
        if view.passes is None or self.obstacle(view):
            raise RunFailed("GlitchProber needs activations of the repetition prompt, which does not fit the model")
        for budget in budgets:
            yield self._probe(view, view.passes, Ledger(view, open_oracle(), budget), seed)

    def _probe(self, view: ModelView, passes: Passes, ledger: Ledger, seed: int) -> Report:
        order = np.random.default_rng([seed, 5]).permutation(view.ids).tolist()
        whole, length = ledger.budget, passes.activation_length
        own = 0 if passes.shares_activations else length
        if whole is None:
            sample = order[: int(np.ceil(self.sample_share * view.n))]
            ledger.query(sample)
        else:
            # What the sample's own passes will take is no longer there for its queries.
            ledger.budget = whole // 2
            sample = ledger.query_what_fits(order[: ledger.covers(len(order), view.price.usual + own)])
            ledger.budget = whole
        labels = np.array([ledger.answers[i] for i in sample], dtype=bool)
        if min(labels.sum(), (~labels).sum()) < _FOLDS:
            return ledger.report_scores(np.full(view.n, np.nan))
        if not passes.shares_activations:
            # The sample needs passes of its own; what they leave over is for other tokens.
            fits = ledger.covers(len(sample), length)
            sample, labels = sample[:fits], labels[:fits]
            if min(labels.sum(), (~labels).sum()) < _FOLDS:
                return ledger.report_scores(np.full(view.n, np.nan))
            ledger.pay_passes(len(sample) * length)
        values = passes.activations(sample, self.layers).values
        scores = np.full(view.n, np.nan)
        scores[view.place[sample]] = self._held_out(values, labels, seed)
        model = self._pipeline(len(values), values.shape[1], seed).fit(values, labels)
        asked = set(ledger.answers)
        rest = [i for i in order if i not in asked]
        rest = rest[: ledger.covers(len(rest), length)]
        for start in range(0, len(rest), _CHUNK):
            some = rest[start : start + _CHUNK]
            found = passes.activations(some, self.layers)
            ledger.pay_passes(found.n_positions)
            scores[view.place[some]] = model.decision_function(found.values)
        if whole is None:
            ledger.query([i for i in rest if scores[view.place[i]] > 0])
            # As published, nothing is reported that was not tested.
            return ledger.report(np.zeros(view.n))
        return ledger.report_scores(scores)

    def _held_out(self, values: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
        # Composing a config imports this module, and is to stay fast.
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
        n_least = min(len(train) for train, _ in folds.split(values, labels))
        model = self._pipeline(n_least, values.shape[1], seed)
        found: np.ndarray = cross_val_predict(model, values, labels, cv=folds, method="decision_function")
        return found

    def _pipeline(self, n: int, width: int, seed: int) -> Any:
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import SVC

        return make_pipeline(
            PCA(max(1, min(self.n_components, n - 1, width)), random_state=seed),
            SVC(C=self.c, kernel="poly", degree=self.degree, class_weight="balanced" if self.is_balanced else None),
        )
