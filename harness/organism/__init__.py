"""The embedded model organism: a small GPT-2 whose training exposures are known for every token.

`organism` reads a shipped one, `recipe` says how one is made, `training` makes it.
"""
