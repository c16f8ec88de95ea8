"""Which tokens do the weights say were hardly trained, and does the model fail to say them when asked?

Land & Bartolo 2024 (Magikarp): indicators from the weights alone (`harness/glitch/indicators`), candidates at the
`exp.percentile` lowest of the main indicator over reachable tokens, each asked for with three prompts, its id spliced
in. Under-trained iff its probability stays below 0.01 at the first three greedy positions of every prompt.

A prompt that does not fit the model's window is left out, and said so. The test means something only if the model says
tokens it knows well: their share with a probability of 0.01 or more is measured beside it.

Arrays (arrays.safetensors), over the vocabulary: `indicator/<name>` float64, `category` int8 (index into details'
`categories`); over the candidates, ascending by the main indicator: `candidates` int64, `max_prob` and
`<prompt>/max_prob` float32.

Details: indicators [name], main_indicator, is_tied, unused {ids, rule}, categories, prompts {name: {version, text, bos,
fits}}, calibration {n, rate, where, informative}, low {category: [{id, token, indicator, below}]}, by_exposures,
published (the table for a GPT-2 size; absent for any other model).
"""
