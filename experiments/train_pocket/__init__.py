"""Make an organism from nothing: tokenizer, training rows, weights, and what became of every token.

What a run writes: `arrays.py` and docs/results.md.
"""
