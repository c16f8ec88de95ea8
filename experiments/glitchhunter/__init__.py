"""How many glitch tokens does GlitchHunter find, at what cost? Clusters of the embedding graph, tested by samples.

What a run writes: `arrays.py` and docs/results.md.
"""
