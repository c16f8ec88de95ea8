"""What in training leaves tokens without a row of their own? Small organisms that differ in one thing from a reference.

What differs: `arms.py`. What a run writes: `arrays.py` and docs/results.md.
"""
