"""Where does copying of badly trained tokens break: reading them, moving what was read, or writing it?

The list of what is tried: `interventions.py`. What a run writes: `arrays.py` and docs/results.md.
"""
