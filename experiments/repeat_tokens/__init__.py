"""Does the model predict the second copy of a random sequence, and does that depend on which tokens it is made of?

`[BOS?] half half`: a model with induction heads predicts the second half well. The experiment draws such sequences from
every pool, measures the log-prob of each token and where each head looks from the second half, and compares the pools.

Arrays (arrays.safetensors). `position` runs over the 2 * seq_len tokens after BOS: 0..seq_len-1 is the first half,
seq_len..2*seq_len-1 the second. Values are float32, NaN where there is none (position 0 of a model without BOS, the
ends of an interval over one sequence).

| name                             | axes               | meaning                                                      |
|----------------------------------|--------------------|--------------------------------------------------------------|
| <pool>/position/logprob_mean     | position           | nats, mean over sequences                                    |
| <pool>/position/logprob_low      | position           | its 95 % interval (Student t over sequences)                 |
| <pool>/position/logprob_high     | position           |                                                              |
| <pool>/position/accuracy_mean    | position           | share of sequences whose most likely token is the right one  |
| <pool>/position/rank_median      | position           | median over sequences of the target's rank, 1 is best        |
| <pool>/position/entropy_mean     | position           | nats, mean over sequences                                    |
| <pool>/heads/attention_by_offset | layer head offset  | mean attention from second-half queries to key=query-offset, |
|                                  |                    | offset 0..seq_len; 1: previous token, seq_len-1: induction,  |
|                                  |                    | seq_len: duplicate token                                     |
| <pool>/example/pattern           | top_head query key | attention of the pool's first sequence, BOS included         |
| <pool>/example/tokens            | pos                | its token ids (int64), BOS included                          |

`layer` counts the layers that have attention; details: heads.layers holds their numbers in the model. The arrays
under heads/ and example/pattern are absent where the model has no attention patterns (details: heads.applicable). A
head that a layer does not have is NaN.

Details (details.json):

    seq_len, n_sequences, batch_size, has_bos, bos_id
    pools: {pool: {spec, label, is_proxy, n_ids, ids, shown, with_replacement, notes}}   ids, shown: at most 256
    heads: {applicable, reason, layers: [int], n_heads, uniform_attention, top: [{label, layer, head}],
            by_pool: {pool: {induction | prev_token | duplicate_token: [{label, layer, head, score, low, high}]}}}
        top: the heads of example/pattern, the same for every pool; label is "L.H"
        uniform_attention: the score of a head that looks everywhere equally, to judge scores against
    examples: {pool: {tokens_shown: [str], item}}
    comparisons: [{a, b}]                 the pairs under compare/<a>_vs_<b>/
    intervals: {metric name: sentence}    what each interval is over
"""
