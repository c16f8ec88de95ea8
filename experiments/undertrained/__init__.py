"""Which tokens look under-trained by their weights, and does the model fail to predict them when prompted for them?

What a run writes: `arrays.py` and docs/results.md.
"""
