"""What exp=audit writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("indicator", "d_vocab", "float64", "the main indicator of `undertrained`; low is suspicious"),
    ArraySpec("glitch", "d_vocab", "int8", "1 glitch token by the census, 0 not, -1 undecided or no verdict"),
    ArraySpec("before", "d_vocab", "int8", "the same of the other revision", "with `exp.compare_to`"),
)
