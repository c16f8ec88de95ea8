"""Which tokens does the model fail on? Every token through repetition, spelling and length, spliced in by its id.

What a run writes: `arrays.py` and docs/results.md.
"""
