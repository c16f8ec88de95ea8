"""Verdicts on tokens from the model itself, through the two wordings of a query and those of a second look."""

from collections.abc import Sequence

import numpy as np

from harness.errors import RunFailed
from harness.glitch.census.ladder import Ladder
from harness.glitch.census.wordings import Wording
from harness.glitch.detectors.oracle import MemoOracle
from harness.glitch.detectors.querying import N_ASKED, fails_and_margins


class WordingOracle(MemoOracle):
    """Prompts the model: a token fails if it fails the first of `wordings` and, asked only then, the second.

    A second look asks in `further` ones. A token that only one of the two can ask about is judged by that one. Charges
    the positions that went through the model; what stands before the token in a prompt is read once, and was charged
    when the wording was tried. Raises `RunFailed` for no wording, and for a token that neither can ask about.
    """

    def __init__(self, ladder: Ladder, wordings: Sequence[Wording], further: Sequence[Wording] = ()) -> None:
        if not wordings:
            raise RunFailed("no wording counts for this model: there is nothing to ask")
        super().__init__()
        self._ladder, self._wordings, self._further = ladder, tuple(wordings[:N_ASKED]), tuple(further)
        for wording in (*self._wordings, *self._further):
            ladder.keep_beginning(wording)

    @property
    def askable(self) -> frozenset[int]:
        """The tokens that can be asked about."""
        return frozenset().union(*(self._ladder.askable(wording) for wording in self._wordings))

    def _answer(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        beyond = sorted(set(ids) - self.askable)
        if beyond:
            raise RunFailed(f"no wording can ask about {len(beyond)} of the tokens, the first of them id {beyond[0]}")
        parts = list(self._ladder.climb(self._wordings, ids).values())
        ordered = np.array(sorted(ids), dtype=np.int64)
        fails, margin = fails_and_margins(ordered, parts)
        self._margins |= zip(ordered.tolist(), margin.tolist(), strict=True)
        found = dict(zip(ordered.tolist(), fails.tolist(), strict=True))
        return [found[token] for token in ids], sum(part.n_positions for part in parts)

    def _settle(self, ids: Sequence[int]) -> tuple[Sequence[bool], int]:
        parts = list(self._ladder.climb(self._further, ids).values())
        passed = {token for part in parts for token in part.ids[part.passed].tolist()}
        return [token not in passed for token in ids], sum(part.n_positions for part in parts)
