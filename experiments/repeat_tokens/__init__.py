"""Does the model predict the second copy of a random sequence, and does that depend on which tokens it is made of?

What a run writes: `arrays.py` and docs/results.md.
"""
