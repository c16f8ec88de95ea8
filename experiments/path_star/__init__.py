"""What next-token training cannot learn: path-star graphs G(d, l) (Bachmann & Nagarajan, arXiv 2403.06963).

The model is trained first (`exp=train_path_star`, a run of its own that is found again), or taken from
`exp.checkpoint`. Then it answers held-out graphs, is put on the right arm and on a wrong one, and its heads are
watched while they look up edges (docs/path_star.md).

What a run writes: `arrays.py` and docs/results.md.
"""
