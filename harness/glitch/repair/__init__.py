"""Mending glitch tokens without retraining: every method there is, and a model as it is with a method applied.

Begin at `roster.py` (all methods), `method.py` (what one is) and `mending.py` (what it leaves behind).
"""
