"""The sentence that a run answers its question with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One sentence with its number and interval, made from stored metrics."""

    sentence: str
    passed: bool | None = None
    """The verdict of the experiment's gate; None where it has none."""

    def as_plain(self) -> dict[str, Any]:
        """As it is stored in answer.json."""
        return {"sentence": self.sentence, "passed": self.passed}

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> "Answer":
        """Read back from answer.json."""
        return cls(str(stored["sentence"]), stored["passed"])
