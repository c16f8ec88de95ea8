"""What token_audit writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("category", "d_vocab", "int64", 'position of the id\'s category in details["categories"]'),
    ArraySpec("byte", "d_vocab", "int64", "the byte that the id stands for; -1 for every other kind"),
    ArraySpec(
        "byte_fate", "byte", "int8", 'position in details["fates"] of what becomes of a byte; -1 where none is known'
    ),
    ArraySpec(
        "character_fate",
        "code_point",
        "int8",
        'position in details["fates"] of what becomes of a character; -1 for surrogates and where nothing survives',
    ),
)
