"""Next-token training on answers from goal to start."""

from harness.path_star.ways.token_by_token import TokenByToken


class Reversed(TokenByToken):
    """Teacher forcing on rows whose answer is written from goal to start (arXiv 2403.06963)."""

    name, label, place = "reversed", "reversed", 20
    is_reversed = True
