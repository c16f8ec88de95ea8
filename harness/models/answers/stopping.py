"""When an answer has ended: at the end of its line, at a special token, or as soon as the tested token is generated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from harness.models.answers.decoding import Stop


@dataclass(frozen=True)
class LineTable:
    """What each id does to the line it is generated in."""

    visible: Bool[Tensor, " d_vocab"]
    """Has a character that is not white space."""
    has_newline: Bool[Tensor, " d_vocab"]
    ends_own_line: Bool[Tensor, " d_vocab"]
    """Has a line end after something visible of its own."""
    ends_text: Bool[Tensor, " d_vocab"]
    """Special ids that end a text, whatever came before."""

    @classmethod
    def build(cls, texts: Sequence[str], end_ids: Iterable[int], device: str) -> "LineTable":
        """From the text of every id and the ids that end a text."""

        def mask(values: Iterable[bool]) -> Tensor:
            return torch.tensor(list(values), dtype=torch.bool, device=device)

        ends = frozenset(end_ids)
        return cls(
            mask(not text.isspace() and bool(text) for text in texts),
            mask("\n" in text for text in texts),
            mask("\n" in text.lstrip() for text in texts),
            mask(i in ends for i in range(len(texts))),
        )


class EndOfLine(Stop):
    """An answer is one line: it ends at the first line end after something visible, or at an id that ends a text.

    Blank lines in front do not count. `n_prompts` answers are followed; those of `many_lines` end at special ids only.
    """

    def __init__(self, table: LineTable, n_prompts: int, many_lines: Sequence[int] = ()) -> None:
        self._table = table
        device = table.visible.device
        self._begun = torch.zeros(n_prompts, dtype=torch.bool, device=device)
        self._one_line = torch.ones(n_prompts, dtype=torch.bool, device=device)
        self._one_line[list(many_lines)] = False

    def reset(self, rows: Int[Tensor, " batch"]) -> None:
        """Nothing visible has been generated yet."""
        self._begun[rows] = False

    def update(self, rows: Int[Tensor, " batch"], tokens: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
        """Whether the line or the text ends here."""
        table, begun = self._table, self._begun[rows]
        line_ends = table.ends_own_line[tokens] | (begun & table.has_newline[tokens])
        self._begun[rows] = begun | table.visible[tokens]
        return table.ends_text[tokens] | (line_ends & self._one_line[rows])


class UntilTarget(Stop):
    """Ends as soon as the target id is generated (-1: never), else where `inner` ends."""

    def __init__(self, targets: Int[Tensor, " prompt"], inner: Stop) -> None:
        self._targets, self._inner = targets, inner

    def reset(self, rows: Int[Tensor, " batch"]) -> None:
        """As `inner`."""
        self._inner.reset(rows)

    def update(self, rows: Int[Tensor, " batch"], tokens: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
        """Whether the target was generated or the line ended."""
        return self._inner.update(rows, tokens) | (tokens == self._targets[rows])
