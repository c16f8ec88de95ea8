"""What dataset_prevalence writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("ids", "token", "int64", "the glitch tokens that were looked for, ascending"),
    ArraySpec("tokens", "token", "int64", "how often each occurs"),
    ArraySpec("documents", "token", "int64", "in how many documents each occurs"),
)
