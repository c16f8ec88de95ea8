"""Numbers taken from a model's outputs, and how sure they are."""
