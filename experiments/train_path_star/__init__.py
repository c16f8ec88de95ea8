"""Train one model on path-star graphs, from scratch or from pretrained weights.

What a run writes: `arrays.py` and docs/results.md.
"""
