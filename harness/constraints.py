"""What one field of a config may hold, stated in its type: `n_tokens: Count | None = None`.

`harness.runs.config.typed.to_dataclass` checks it. A bare call of a dataclass does not: it checks only what stands in
`__post_init__`, which is for what several fields have to do with one another.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def must_be(allowed: str, holds: Callable[[Any], bool]) -> AfterValidator:
    """A constraint on a field's value: `allowed` is how a refusal words it, `holds` tells whether it is met."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": allowed, "got": value})
        return value

    # Where a page of help finds the words.
    check.__dict__["allowed"] = allowed
    return AfterValidator(check)


Count = Annotated[int, must_be("1 or more", lambda n: n >= 1)]
Whole = Annotated[int, must_be("0 or more", lambda n: n >= 0)]
Positive = Annotated[float, must_be("above 0", lambda x: x > 0)]
NotNegative = Annotated[float, must_be("0 or more", lambda x: x >= 0)]
Share = Annotated[float, must_be("a share above 0, at most 1", lambda x: 0 < x <= 1)]
Probability = Annotated[float, must_be("a probability between 0 and 1", lambda x: 0 < x < 1)]
