"""Tokens taken out of a tokenizer: no text leads to them any more, and every other id stays what it is.

`removal` does it and says what it costs other tokens, `checking` tries whether it holds, `writing` makes a folder of it
that loads like any tokenizer, `resegmentation` measures what running text pays. Weights are not touched.
"""
