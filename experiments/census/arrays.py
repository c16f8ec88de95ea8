"""What census writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_AGREEMENT = "with `exp.verdict=agreement`"

ARRAYS = (
    ArraySpec("ids", "token", "int64", "the tokens tested, ascending; none where nothing can be said"),
    ArraySpec("glitch", "token", "int8", "1 fails, 0 passes, -1 no verdict or undecided"),
    ArraySpec("verdict", "token", "int8", "1 glitch, 0 not, 2 undecided, -1 no verdict", _AGREEMENT),
    ArraySpec("in_sample", "token", "int8", "1 asked in every wording, 0 until it passed", _AGREEMENT),
    ArraySpec("<question>/passed", "token", "int8",
              "by wording, or by task: 1 right, 0 wrong, -1 not asked or no right answer for this token",
              "for wordings that fit, and tasks that were asked"),
    ArraySpec("<wording>/margin", "token", "float32",
              "logits by which the token is above the best other one where it must be said; NaN where not asked, or "
              "where the answer's place is open", _AGREEMENT),
    ArraySpec("sample/weight", "sample", "float64", "tokens that each of the sample stands for, in order of id",
              _AGREEMENT),
    ArraySpec("agreement", "wording wording", "float64",
              "share of the sample's tokens that two wordings say the same of; NaN without any", _AGREEMENT),
    ArraySpec("artefacts", "wording wording", "int64", "of these, how many fail the first and pass the second",
              _AGREEMENT),
    ArraySpec("sampled/ids", "sampled", "int64", "tokens whose answers were sampled", "with `exp.n_samples`"),
    ArraySpec("sampled/failures", "sampled", "int64", "wrong answers of `exp.n_samples`", "with `exp.n_samples`"),
    ArraySpec("exposures", "token", "int64", "how often training showed it", "where that is known"),
)  # fmt: skip
