import pytest
import torch

from harness.models.answers.stopping import EndOfLine, LineTable, UntilTarget

pytestmark = pytest.mark.unit

TEXTS = ("a", " ", "\n", "x\n", "\ny", "<end>", "")
A, SPACE, NEWLINE, X_NEWLINE, NEWLINE_Y, END, NOTHING = range(7)


def length(stop, *tokens, row=0):
    """How many of `tokens` are said before the stop."""
    rows = torch.tensor([row])
    stop.reset(rows)
    for n, token in enumerate(tokens, start=1):
        if stop.update(rows, torch.tensor([token]))[0]:
            return n
    return None


@pytest.fixture
def table():
    return LineTable.build(TEXTS, [END], "cpu")


@pytest.mark.parametrize(
    ("tokens", "n"),
    [
        ((A, NEWLINE), 2),
        ((NEWLINE, SPACE, NEWLINE, A, A, NEWLINE), 6),  # blank lines in front do not count
        ((X_NEWLINE,), 1),
        ((NEWLINE_Y, A, NEWLINE), 3),  # the line end in front of y is a blank line
        ((A, NEWLINE_Y), 2),
        ((END,), 1),
        ((NOTHING, SPACE, A), None),
    ],
)
def test_an_answer_is_one_line(table, tokens, n):
    assert length(EndOfLine(table, 1), *tokens) == n


def test_a_token_of_several_lines_ends_at_special_ids_only(table):
    assert length(EndOfLine(table, 2, many_lines=[1]), A, NEWLINE, END, row=1) == 3


def test_the_token_itself_ends_the_answer(table):
    stop = UntilTarget(torch.tensor([A, -1]), EndOfLine(table, 2))
    assert length(stop, SPACE, A, NEWLINE) == 2
    assert length(stop, SPACE, A, NEWLINE, row=1) == 3


def test_rows_begin_anew(table):
    stop = EndOfLine(table, 1)
    assert length(stop, A) is None
    assert length(stop, NEWLINE, A, NEWLINE) == 3
