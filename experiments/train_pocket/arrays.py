"""What train_pocket writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("total", "d_vocab", "int64", "how often training showed the id"),
    ArraySpec("text", "d_vocab", "int64", "of these in running text"),
    ArraySpec("repeats", "d_vocab", "int64", "of these in repeated random sequences"),
    ArraySpec("tasks", "d_vocab", "int64", "of these in questions with answers"),
)
