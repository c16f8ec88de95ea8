"""How a config names a pool of token ids."""

# One pool: a rule or slice as text ("177:188", "byte_unused", "exposures:0:1"), or the ids themselves.
PoolSpec = str | tuple[int, ...]
