"""How much probability do unused tokens get: for prompts, and at every position of running text?

A raw logit is no probability, not even up to exp(): an article on unused tokens read a logit of -1.7 as probability
0.18. Here both numbers stand side by side, at every position, with the probability of the whole slice of unused tokens
and how often one of them is among the likeliest `exp.top_k`. Every pool of the config is treated alike.

Arrays (arrays.safetensors). `position` runs over all positions of all sequences of a kind (prompts, text):

| name                        | axes           | meaning                                              |
|-----------------------------|----------------|------------------------------------------------------|
| <kind>/sequence             | position       | int64, number of the sequence                        |
| <pool>/<kind>/total         | position       | probability of the whole pool                        |
| <pool>/<kind>/best_rank     | position       | int64, rank of its likeliest token; 1 is best        |
| <pool>/ids                  | token          | int64                                                |
| <pool>/<kind>/logit_mean    | token          | raw logit, mean over positions                       |
| <pool>/<kind>/prob_mean     | token          | probability, mean over positions                     |
| <pool>/<kind>/prob_max      | token          | its largest                                          |
| <pool>/last/logit           | prompt token   | raw logit at each prompt's last position             |
| <pool>/last/prob            | prompt token   | probability there                                    |

Details: pools {pool: {label, n_ids}}, top_k, d_vocab, prompts [str], text {source, n_windows, window}, last {pool: [{
prompt, id, token, logit, exp_logit, prob, rank}]}.
"""
