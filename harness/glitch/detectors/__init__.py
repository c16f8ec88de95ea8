"""Every published way of finding glitch tokens, and ours, on one budget of queries.

`detector` says what a detector is and `roster` lists them, a file each; `oracle` answers their queries, `ledger` counts
what they cost, `view` is what they may see of a model.
"""
