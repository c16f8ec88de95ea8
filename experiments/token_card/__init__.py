"""Everything that can be found out about one token, on one page.

Its text and bytes, what kind of id it is, which merge made it and what longer tokens it is part of; where its rows
stand among all rows (every indicator of `harness/glitch/indicators`, with its rank); its nearest neighbours; how often
training showed it, where that is known; how likely the model says it when Magikarp's three prompts ask for it; its
answers to the three tasks of the census, and whether these tell anything about this model; its logit, probability and
rank where well-known tokens stand before it, and what the model expects behind it.

records.jsonl: a line per thing asked of the model, {item, kind (verification, census, context), ...}.

Arrays (arrays.safetensors):

| name                  | axes    | meaning                                                                      |
|-----------------------|---------|------------------------------------------------------------------------------|
| indicator/<name>      | d_vocab | float64, an indicator from the weights, of every token                       |
| indicator/norm_output | d_vocab | float64, length of every token's output row                                  |
| indicator/norm_input  | d_vocab | float64, the same of input rows, where the model has these apart             |
| context/ids           | context | int64, the well-known token that stands before it                            |
| context/logit         | context | float32, the raw logit of the token there                                    |
| context/logprob       | context | float32, natural logarithm of its probability                                |
| context/rank          | context | int64, 1: the most likely of all                                             |

Details: card (below), indicators [{name, value, rank, n, is_main}], neighbours {matrix: [{id, token, similarity}]},
superstrings [{id, token}], made_of, part_of, verification [..], census [..], next [{id, token, prob}], context {..}.
"""
