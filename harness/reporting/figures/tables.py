"""Tables as people read them: `mean [low, high]` in one cell, CSV with every number apart, LaTeX that compiles."""

from typing import Any

import pandas as pd

from harness.measure.formatting import number, with_interval
from harness.reporting.figures.text import latex_text
from harness.tokens.text import visible

LOW, HIGH = " ci_low", " ci_high"
"""Endings of the two columns that hold a column's 95 % interval: `mean`, `mean ci_low`, `mean ci_high`."""

_LETTERS_OF_A_COLUMN = 60
"""That still can be read when shrunk to a column of the page."""

# Prose has apostrophes; a token's stays straight.
_STRAIGHT, _APOSTROPHE = latex_text("'"), "'"


def interval_columns(name: str, interval: tuple[Any, Any, Any]) -> dict[str, Any]:
    """A mean with the ends of its 95 % interval as the three columns that are read as one."""
    mean, low, high = interval
    return {name: mean, f"{name}{LOW}": low, f"{name}{HIGH}": high}


def with_floors(frame: pd.DataFrame, floors: dict[str, float]) -> pd.DataFrame:
    """The table, in which a column's values can't be below its floor: there a reader is shown `≤`."""
    frame.attrs["floors"] = floors
    return frame


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN or pandas' NA."""

    return value is None or (not isinstance(value, list | tuple | dict) and bool(pd.isna(value)))


def plain(value: Any) -> Any:
    """A cell as a Python value: numpy scalars unwrapped, missing ones None."""
    value = value.item() if hasattr(value, "item") else value
    return None if is_missing(value) else value


def for_reading(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with text in every cell and each interval folded into the cell of its mean."""

    columns: dict[str, list[str]] = {}
    for name in frame.columns:
        if name.endswith((LOW, HIGH)) and name.removesuffix(LOW).removesuffix(HIGH) in frame.columns:
            continue
        values = [plain(value) for value in frame[name]]
        if f"{name}{LOW}" in frame.columns and f"{name}{HIGH}" in frame.columns:
            lows, highs = ([plain(value) for value in frame[f"{name}{end}"]] for end in (LOW, HIGH))
            columns[str(name)] = [with_interval(*cell) for cell in zip(values, lows, highs, strict=True)]
        else:
            least = frame.attrs.get("floors", {}).get(name)
            columns[str(name)] = [_cell(value, least) for value in values]
    return pd.DataFrame(columns)


def _cell(value: Any, least: float | None) -> str:
    text = visible(value) if isinstance(value, str) else number(value)
    return f"≤ {text}" if least is not None and isinstance(value, float) and value <= least else text


def to_csv(frame: pd.DataFrame) -> str:
    """Comma-separated, one number a cell, strings made visible and never a spreadsheet's formula."""
    safe = frame.copy()
    for name in safe.columns:
        if any(isinstance(value, str) for value in safe[name]):
            safe[name] = [_no_formula(visible(value)) if isinstance(value, str) else value for value in safe[name]]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _no_formula(text: str) -> str:
    # A spreadsheet computes a cell that begins like this; an apostrophe in front makes it text (OWASP, CSV injection).
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def to_latex(frame: pd.DataFrame, caption: str, label: str) -> str:
    """A booktabs table, shrunk to the width of its column where it is wider, over both columns where it has many
    letters; token strings cannot break out of their cell."""
    readable = for_reading(frame)
    kinds = "".join("r" if _is_numeric(frame, name) else "l" for name in readable.columns)
    rows = [" & ".join(latex_text(cell) for cell in row) + r" \\" for row in readable.itertuples(index=False)]
    widths = (max(map(len, [str(name), *readable[name]])) for name in readable.columns)
    table = "table*" if sum(widths) > _LETTERS_OF_A_COLUMN else "table"
    header = " & ".join(latex_text(str(name)) for name in readable.columns) + r" \\"
    return "\n".join(
        (
            r"% needs \usepackage{booktabs}, \usepackage{graphicx} and \usepackage[T1]{fontenc}",
            rf"\begin{{{table}}}",
            r"\centering",
            rf"\caption{{{latex_text(caption).replace(_STRAIGHT, _APOSTROPHE)}}}",
            rf"\label{{tab:{label}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{kinds}}}",
            r"\toprule",
            header,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\end{{{table}}}",
            "",
        )
    )


def _is_numeric(frame: pd.DataFrame, name: str) -> bool:
    values = [plain(value) for value in frame[name]]
    return any(isinstance(value, int | float) for value in values) and not any(isinstance(v, str) for v in values)
