"""What a detector is: a method with its settings, and how it is described."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from harness.glitch.detectors.ledger import DetectionResult
from harness.glitch.detectors.oracle import QueryOracle
from harness.glitch.detectors.view import ModelView, Passes


@dataclass(frozen=True)
class Detector(ABC):
    """Finds glitch tokens within a budget of queries.

    A subclass is one method in one file, listed in `roster.py`: a frozen dataclass whose fields are its settings
    (`exp.<name>.*` of exp=detectors), each with where its default comes from; "unknown" means looked for in the
    sources and not found, the value is then ours. Its module imports nothing heavy at the top (`roster.py` says why).
    """

    name: ClassVar[str]
    """The key of its numbers and of its settings."""
    is_ours: ClassVar[bool] = False
    """Pictures set it apart, and some of its mistakes are listed."""
    is_random: ClassVar[bool] = True
    """Whether another seed gives another answer."""
    scores_unqueried: ClassVar[bool] = False
    """Whether it learns to score tokens it did not query; its ROC curve is then drawn with the indicators'."""
    remark: ClassVar[str] = ""
    """What a reader of its row in a table must know, as a clause."""

    @abstractmethod
    def detect(self, view: ModelView, oracle: QueryOracle, budget: int, seed: int) -> DetectionResult:
        """Spend at most `budget` queries. `seed` varies every random choice."""

    def obstacle(self, passes: Passes) -> str | None:  # noqa: ARG002
        """Why it cannot be run on a model that allows these passes; None where it can."""
        return None
