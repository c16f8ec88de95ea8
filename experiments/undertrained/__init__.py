"""Which tokens do the weights say were hardly trained, and does the model fail to say them when asked?

What a run writes: `arrays.py` and docs/results.md.
"""
