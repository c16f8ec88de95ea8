"""Numbers taken from a model's outputs, and how sure they are.

`logprobs` and `heads` measure, `intervals`, `compare` and `logistic` say how far a number may be off, `exposures` sorts
tokens by how often training showed them.
"""
