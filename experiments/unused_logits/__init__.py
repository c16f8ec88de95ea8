"""How much probability do unused tokens get: for prompts, and at every position of running text?

What a run writes: `arrays.py` and docs/results.md.
"""
