"""Is this model fit to be released, as far as its tokens go? Every token with the reasons to look at it, in one list.

Three looks at the vocabulary: what kind every id is (`harness/tokens/vocabulary_audit.py`), what the weights say and
the verification of what they say (`exp=undertrained`), and the census (`exp=census`); the last two are runs of their
own.

What a run writes: `arrays.py` and docs/results.md.
"""
