"""What exp=audit writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("indicator", "d_vocab", "float64", "the main indicator of `undertrained`; low is suspicious"),
    ArraySpec("glitch", "d_vocab", "int8", "1 fails a task of the census, 0 passes, -1 no verdict"),
    ArraySpec("before", "d_vocab", "int8", "the same of the other revision", "with `exp.compare_to`"),
)
