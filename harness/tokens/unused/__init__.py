"""Which tokens are unused: one rule per module, and `choose_unused`, which finds an answer on every tokenizer.

No rule ever looks at training counts: what is judged against them must not know them.
"""

from harness.tokens.unused.choice import ENOUGH, UnusedChoice, choose_unused, unused_by
from harness.tokens.unused.rules import UnusedRule

__all__ = ["ENOUGH", "UnusedChoice", "UnusedRule", "choose_unused", "unused_by"]
