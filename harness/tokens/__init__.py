"""Which tokens are under study, and the prompts they are tested with.

`pool_spec`, `rules` and `pools` choose ids, `repeats` arranges them in sequences, `vocabulary_audit` tells every id's
category, `text` shows one to a reader, `prompts` are those of the literature.
"""
