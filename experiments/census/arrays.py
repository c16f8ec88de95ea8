"""What census writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

ARRAYS = (
    ArraySpec("ids", "token", "int64", "the tokens tested, ascending; none where no task is in reach"),
    ArraySpec("glitch", "token", "int8", "1 fails, 0 passes, -1 no verdict"),
    ArraySpec("<task>/passed", "token", "int8",
              "1 right, 0 wrong, -1 not asked or no right answer for this token", "for tasks that were asked"),
    ArraySpec("exposures", "token", "int64", "how often training showed it", "where that is known"),
)  # fmt: skip
