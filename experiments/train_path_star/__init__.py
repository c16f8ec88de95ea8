"""Train one model on path-star graphs, from scratch or from pretrained weights.

The model's folder is kept with the run, in artifacts/model; `model.name=<that folder>` boots it like any other model.
Interrupted, the same command goes on from the newest checkpoint.

records.jsonl: a line per point of the training curve, {item, step, loss} or {item, step, exact_match, position_<i>};
probes are held-out graphs, `position_<i>` is the share right at the answer's i-th node when the truth stands before it.

Details: {task, objective, architecture, folder, steps, is_solved, n_parameters, n_left_out}
"""
