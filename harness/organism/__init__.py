"""The embedded model organism: a small GPT-2 whose training exposures are known for every token."""
