"""Everything that can be found out about one token, on one page.

What a run writes: `arrays.py` and docs/results.md.
"""
