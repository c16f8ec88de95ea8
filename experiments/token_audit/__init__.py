"""What kind of token is every id: a byte, special, part of a character, out of reach of any text, or ordinary?

What a run writes: `arrays.py` and docs/results.md.
"""
