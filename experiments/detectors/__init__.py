"""Which detector finds the glitch tokens of a model for how many queries? All of them on one ground truth.

What a run writes: `arrays.py` and docs/results.md.
"""
