"""Does the model repeat its input exactly, after twenty identical trials of repeating it?

What a run writes: `arrays.py` and docs/results.md.
"""
