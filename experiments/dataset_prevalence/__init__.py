"""How many of a data set's tokens are glitch tokens of this model, in how many documents, and which ones?

Read as a stream, so that its size does not matter. What a document is and where its text stands:
`documents/reading.py`, `documents/layouts.py`.

What a run writes: `arrays.py` and docs/results.md.
"""
