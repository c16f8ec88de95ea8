"""What a query costs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class QueryPrice:
    """Token positions that go through the model for one query.

    A query asks in one wording and, where the token fails it, in a second one: a token that passes costs less than one
    that fails.
    """

    usual: float = 1.0
    """Of a token that passes the first wording. Every token at this price is what budgets are shares of."""
    most: int = 1
    """Of a token that fails both."""
    settling: int = 0
    """Of a second look, in further wordings, at a token that fails these as well; 0: there are no further ones."""
