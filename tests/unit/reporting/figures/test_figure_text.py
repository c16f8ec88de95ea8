import re
import warnings

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reporting.figures import tables
from harness.reporting.figures.style import new_figure, paper_style
from harness.reporting.figures.text import figure_text, latex_text
from harness.tokens.text import shorten, visible
from tests.unit.runs.results.stored_runs import HOSTILE_TOKENS

ANY_TEXT = st.text(st.characters(), max_size=30)


@pytest.mark.parametrize("token", HOSTILE_TOKENS)
def test_every_token_can_be_drawn_with_no_glyph_missing(token: str) -> None:
    with paper_style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = new_figure()
        figure.text(0.5, 0.5, figure_text(token))
        figure.draw_without_rendering()


def test_no_mathematics_is_read_out_of_a_token() -> None:
    with paper_style():
        figure = new_figure()
        text = figure.text(0.1, 0.1, figure_text("$x_1^2$ and $y$"))
        figure.draw_without_rendering()
        plain = figure.text(0.1, 0.1, "a")
        assert text._preprocess_math(text.get_text())[1] is False or r"\$" in text.get_text()
        assert text.get_window_extent().height < 2 * plain.get_window_extent().height


@given(ANY_TEXT, st.integers(4, 40))
def test_figure_text_keeps_to_its_limit_and_one_direction(text: str, limit: int) -> None:
    drawn = figure_text(text, limit).replace(r"\$", "$")
    assert len(drawn) <= limit
    assert all(char.isprintable() for char in drawn)
    assert "\u202e" not in drawn


@given(ANY_TEXT)
def test_latex_holds_no_live_command(text: str) -> None:
    typeset = latex_text(text)
    # Take out what we ourselves write; nothing that LaTeX acts on may be left.
    rest = re.sub(r"\\text[a-z]+\{\}|\\ldots\{\}|\$(-|\\[a-z]+)\$|\\[{}$&%#_]", "", typeset)
    assert not set(rest) & set("\\{}$&%#_^~\n")


def test_latex_spells_out_what_its_fonts_may_lack() -> None:
    assert latex_text("日é\\input{x}") == r"[U+65E5]é\textbackslash{}input\{x\}"


@given(ANY_TEXT)
def test_visible_text_always_encodes(text: str) -> None:
    visible(text).encode("utf-8")


def test_shorten_keeps_both_ends() -> None:
    assert shorten("abcdefghij", 6) == "abcd…j"
    assert shorten("abc", 6) == "abc"


def test_intervals_are_folded_for_reading_and_kept_apart_in_csv() -> None:
    frame = pd.DataFrame(
        {
            "pool": ["a", "b"],
            "mean": [-0.5, 2.0],
            f"mean{tables.LOW}": [-0.75, float("nan")],
            f"mean{tables.HIGH}": [-0.25, float("nan")],
            "n": [64, 1],
        }
    )
    readable = tables.for_reading(frame)
    assert list(readable.columns) == ["pool", "mean", "n"]
    assert readable["mean"].tolist() == ["−0.500 [−0.750, −0.250]", "2.000"]
    assert tables.to_csv(frame).splitlines()[1] == "a,-0.5,-0.75,-0.25,64"
    latex = tables.to_latex(frame, "95 % of it", "t")
    assert r"\caption{95 \% of it}" in latex
    assert r"a & $-$0.500 [$-$0.750, $-$0.250] & 64 \\" in latex


@pytest.mark.parametrize("token", HOSTILE_TOKENS)
def test_a_token_cannot_leave_its_cell(token: str) -> None:
    frame = pd.DataFrame({"token": [visible(token)], "n": [1]})
    rows = [line for line in tables.to_latex(frame, "c", "t").splitlines() if line.endswith(r"& 1 \\")]
    assert len(rows) == 1
    assert len(tables.to_csv(frame).splitlines()) == 2


def test_a_mean_and_its_ends_have_the_same_decimals() -> None:
    # A small mean keeps two digits, and its ends as many decimals; one that its interval dwarfs does not.
    assert tables.with_interval(0.0038, -0.0064, 0.0141, 2) == "0.0038 [−0.0064, 0.0141]"
    assert tables.with_interval(1.4e-4, 0.9e-4, 2.1e-4) == "0.00014 [0.00009, 0.00021]"
    assert tables.with_interval(1e-9, -0.0064, 0.0141, 2) == "0.00 [−0.01, 0.01]"
    assert tables.with_interval(0.0, 0.0, 0.021, 2) == "0.00 [0.00, 0.02]"
    assert tables.with_interval(0.5, None, None, 2) == "0.50"
    assert tables.with_interval(None, None, None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (3, "3"),
        (0.0, "0.000"),
        (-0.5, "−0.500"),
        (-1e-4, "−1.00e−4"),
        (2e7, "2.00e7"),
        ("1.2", "1.2"),
    ],
)
def test_numbers_as_people_read_them(value: object, text: str) -> None:
    assert tables.number(value) == text


def test_a_token_in_a_csv_is_no_formula() -> None:
    frame = pd.DataFrame({"token": ["=1+1", "@SUM(A1)", "+x", "-y", "a=b"], "n": [-1.5, 2, 3, 4, 5]})
    assert tables.to_csv(frame).splitlines()[1:] == ["'=1+1,-1.5", "'@SUM(A1),2.0", "'+x,3.0", "'-y,4.0", "a=b,5.0"]


def test_a_p_value_at_its_floor_is_shown_as_a_bound_and_stored_as_it_is() -> None:
    frame = tables.with_floors(pd.DataFrame({"p": [1e-4, 2e-4, None], "q": [1e-4, 2e-4, 0.5]}), {"p": 1e-4})
    readable = tables.for_reading(frame)
    assert readable["p"].tolist() == ["≤ 1.00e−4", "2.00e−4", ""]
    assert readable["q"].tolist()[0] == "1.00e−4"
    assert tables.to_csv(frame).splitlines()[1] == "0.0001,0.0001"
    assert r"$\leq$ 1.00e$-$4" in tables.to_latex(frame, "c", "t")


def test_a_wide_table_stands_over_both_columns_and_none_leaves_its_own() -> None:
    narrow, wide = pd.DataFrame({"a": ["x"]}), pd.DataFrame({f"column {n}": ["x" * 12] for n in range(6)})
    for frame, table in ((narrow, "table"), (wide, "table*")):
        latex = tables.to_latex(frame, "c", "t")
        assert rf"\begin{{{table}}}" in latex and rf"\end{{{table}}}" in latex
        assert r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" in latex
        assert latex.count("{") == latex.count("}")
