"""What glitchhunter writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("ids", "token", "int64", "the tokens hunted among, ascending"),
    ArraySpec("xy", "token axis", "float32", "coordinates of the picture; nothing is measured in them"),
    ArraySpec("community", "token", "int64", "community in the first graph, numbered by falling size"),
    ArraySpec("is_kept", "token", "int8", "whether that community was kept; -1 nothing was tested"),
    ArraySpec("last_iteration", "token", "int64", "the last graph the token was part of, from 1"),
    ArraySpec("asked_at", "token", "int64", "place in the order of asking, from 0; -1 never asked"),
    ArraySpec("verdict", "token", "int8", "1 fails, 0 passes, -1 never asked"),
    ArraySpec("census", "token", "int8", "1 glitch token, 0 not, -1 no verdict", "where there is a census"),
)
