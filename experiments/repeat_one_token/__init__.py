"""One token repeated to the end of the context: where does a model stop saying it, and is it taken for a first token?

What a run writes: `arrays.py` and docs/results.md.
"""
