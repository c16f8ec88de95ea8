"""Does the model repeat its input exactly, after twenty identical trials of repeating it?

The prompt is Magikarp's `input_output` (Land & Bartolo 2024) with `exp.n_shots` trials: "This device repeats its input
exactly, as shown in these 100 identical trials.", then `Input: «token»`, `Output: «token»` again and again; the token
is spliced in by its id. A trial succeeds if the token itself is said first, or its exact text up to the closing mark.

Four settings: greedy and sampled (top_k, top_p, `exp.n_seeds` draws), each with repeated 2-grams forbidden within the
answer, and each as in the article this test comes from, which also counted the 2-grams of the prompt. After twenty
trials the prompt holds the 2-gram «token, so that ban forbids the right answer: its figures are an artefact of the
setting and are labelled so.

Arrays (arrays.safetensors), over the tokens of each pool, in order of id:

| name                        | axes        | meaning                                    |
|-----------------------------|-------------|--------------------------------------------|
| <pool>/ids                  | token       | int64                                      |
| <pool>/<setting>/successes  | token       | int64, out of 1 (greedy) or n_seeds        |

Details: n_shots, n_seeds, pools {pool: {label, n_ids, n_tested}}, prompt, fits, calibration {n, rate, informative}.
"""
