"""From where to where a token is the likeliest continuation of its own copies."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from harness.measure.survival import Survival, survival


@dataclass(frozen=True, eq=False)
class GoingOn:
    """Counts of copies, 1 and up; 0 for what did not happen."""

    starts: Int[np.ndarray, " token"]
    """The smallest n after which the token is the likeliest."""
    diverges: Int[np.ndarray, " token"]
    """The smallest larger n after which it is not."""
    n_repetitions: int

    @classmethod
    def of(cls, is_likeliest: Bool[np.ndarray, "token repetition"]) -> "GoingOn":
        """From whether a token is the likeliest after 1, 2, ... copies."""
        count = np.arange(1, is_likeliest.shape[1] + 1)
        starts = _first(is_likeliest)
        has_ended = ~is_likeliest & (starts[:, None] > 0) & (count > starts[:, None])
        return cls(starts, _first(has_ended), is_likeliest.shape[1])

    @property
    def has_started(self) -> Bool[np.ndarray, " token"]:
        """Whether it is ever the likeliest."""
        found: np.ndarray = self.starts > 0
        return found

    @property
    def still_goes_on(self) -> Bool[np.ndarray, " token"]:
        """Whether it started and had not ended at the end of the sequence, which censors how long it goes on."""
        return self.has_started & (self.diverges == 0)

    @property
    def lasted(self) -> Int[np.ndarray, " token"]:
        """After how many counts of copies in a row, from where it starts, it is the likeliest; 0 if it never starts."""
        end = np.where(self.diverges > 0, self.diverges, self.n_repetitions + 1)
        return np.where(self.has_started, end - self.starts, 0)

    @property
    def fails_at(self) -> Int[np.ndarray, " token"]:
        """Where it ended, or the end of the sequence for one that never starts; 0 for one that goes on."""
        return np.where(self.has_started, self.diverges, self.n_repetitions)

    def survival(self) -> Survival | None:
        """Of the tokens that started, from where each did; None where none did."""
        if not self.has_started.any():
            return None
        return survival(self.lasted[self.has_started], self.still_goes_on[self.has_started])


def _first(happens: Bool[np.ndarray, "token repetition"]) -> Int[np.ndarray, " token"]:
    """The first count at which something happens; 0 where it never does."""
    return np.where(happens.any(axis=1), happens.argmax(axis=1) + 1, 0)
