"""Which tokens of a model are glitch tokens, for a small part of what asking every token costs?

What a run writes: `arrays.py` and docs/results.md.
"""
