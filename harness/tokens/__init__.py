"""Which tokens are under study, and what is asked of them.

`pool_spec`, `rules` and `pools` choose ids, `repeats` arranges them in sequences, `vocabulary_audit` tells every id's
category, `text` shows one to a reader, `prompts` are those of the literature.
"""
