"""Numbers and intervals as people read them."""

import math
from typing import Any


def number(value: Any, digits: int = 3) -> str:
    """A number with as many decimals as its size deserves; empty for what was not measured."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if value != 0 and (abs(value) < 10**-digits or abs(value) >= 1e6):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    return fixed(value, digits)


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals, a minus of full width, and none before what rounds to zero."""
    return f"{value:.{digits}f}".replace("-", "−") if round(value, digits) else f"{0:.{digits}f}"


def with_interval(mean: Any, low: Any, high: Any, digits: int = 3) -> str:
    """`mean [low, high]`, or the mean alone where there is no interval (one sequence)."""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (mean, low, high)):
        return number(mean, digits)
    # The same decimals for all three: a mean and its ends are read against one another.
    digits = decimals(mean, max(abs(low), abs(high)), digits)
    return f"{fixed(mean, digits)} [{fixed(low, digits)}, {fixed(high, digits)}]"


def decimals(mean: float, widest: float, digits: int) -> int:
    """As many decimals as show two digits of a small mean that its interval doesn't dwarf; at most eight."""
    size = abs(mean) if abs(mean) >= 0.1 * widest else widest
    if not size or round(size, digits):
        return digits
    return min(8, 1 - math.floor(math.log10(size)))
