"""Make an organism from nothing: tokenizer, training rows, weights, and what became of every token.

The organism's folder is kept with the run, in artifacts/organism; `model.name=<that folder>` uses it. Interrupted, the
same command goes on from the newest checkpoint.

records.jsonl: a line per point of the training curve, {item, step, loss, copy_accuracy_cued, copy_gain_cued}; null
where nothing was measured at that step.

Arrays (arrays.safetensors):

| name    | axes    | meaning                                      |
|---------|---------|----------------------------------------------|
| total   | d_vocab | int64, how often training showed the id      |
| text    | d_vocab | int64, of these in running text              |
| repeats | d_vocab | int64, of these in repeated random sequences |
| tasks   | d_vocab | int64, of these in questions with answers    |

Details: {natural, planted: {label: {n_tokens, logprob_first_half, copy_gain_cued, copy_accuracy_cued}}, tasks_held_out,
tasks_unseen: {task: {passed, n}}, induction_score_max, induction_head, folder}
"""
