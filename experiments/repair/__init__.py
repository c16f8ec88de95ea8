"""How are glitch tokens mended without retraining, and at what cost to all others?

The methods: `harness/glitch/repair/roster.py`. What a run writes: `arrays.py` and docs/results.md.
"""
