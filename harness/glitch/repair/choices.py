"""What may be chosen in a config: the names of all methods, and the settings of those that have any. Imports nothing
heavy, since configs are composed from it; `roster.py` makes the methods.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from harness.constraints import Count, Positive, Share, must_be
from harness.errors import FieldRejected
from harness.tokens.removal.longer import Longer


class End(Enum):
    """Where a row is replaced."""

    INPUT = "input"
    """Where the token is read: the embedding."""
    OUTPUT = "output"
    """Where it is predicted: the unembedding."""
    BOTH = "both"


class Half(Enum):
    """What GlitchProber changes."""

    SUPPRESS = "suppress"
    """Neurons that are silent for well-known tokens are turned down."""
    BOOST = "boost"
    """Neurons that are active for nearly all of them are turned up."""
    BOTH = "both"


class Start(Enum):
    """Rows that gradient steps begin with."""

    OWN = "own"
    """The token's own."""
    RANDOM = "random"
    """The mean with a random deviation as long as those of well-known tokens are."""


ROWS = ("mean", "pieces", "spelling", "rescaled", "random")
"""Methods that replace rows, each at either end and at both."""
UNTOUCHED = "untouched"
GRADIENT = "gradient"
PROBER = "glitchprober"
PRUNING = "pruning"
METHODS = (
    UNTOUCHED,
    *(f"{name}_{end.value}" for name in ROWS for end in End),
    GRADIENT,
    *(f"{PROBER}_{half.value}" for half in Half),
    *(f"{PRUNING}_{longer.value}" for longer in Longer),
)
CONTROLS = (UNTOUCHED, *(f"random_{end.value}" for end in End))
"""What others are compared with: nothing done, and rows of the right size that say nothing of the token."""
NOT_STORED = (UNTOUCHED, *(f"{PROBER}_{half.value}" for half in Half))
"""Methods that leave no other checkpoint: nothing to store, or work that is done while the model runs."""


def _several(values: tuple[float, ...]) -> bool:
    return 0 < len(set(values)) == len(values) and all(value > 0 for value in values)


@dataclass(frozen=True)
class GradientSettings:
    """Gradient steps on the rows; of several learning rates and starts the best for the fitting half is taken."""

    n_rounds: Count = 15
    """How often each token is shown."""
    learning_rates: Annotated[tuple[float, ...], must_be("numbers above 0, each once", _several)] = (0.03, 0.1)
    """Of Adam, in units of the root mean square of a well-known token's row."""
    starts: Annotated[
        tuple[Start, ...], must_be("own, random, each once", lambda starts: 0 < len(set(starts)) == len(starts))
    ] = (Start.OWN, Start.RANDOM)
    """Rows that the steps begin from: the token's own, or random ones."""
    tokens_per_step: Count = 48
    """Tokens that one step is about; more are shown in several steps."""


@dataclass(frozen=True)
class ProberSettings:
    """GlitchProber's repair, with the constants of its released code (LLM-Integrity-Guard/GlitchProber)."""

    n_normal: Count = 256
    """Well-known tokens that neurons are told by. Paper: a tenth of the vocabulary."""
    threshold: float = 1.0
    """m: above it a neuron is active. Paper: 1."""
    active_share: Share = 0.99
    """Neurons active for more than this share of well-known tokens are turned up. Paper: 0.99."""
    boost_slope: Positive = 25.0
    """How fast a boosted value rises."""
    boost_offset: float = 0.5
    """beta = slope x mean difference of activations + offset, cut to 0 to 3. Code."""
    suppress_slope: Positive = 2.0
    """How fast a suppressed value falls."""
    suppress_offset: float = 0.0
    """alpha = slope x |mean ratio of activations| + offset, cut to 2 to 5. Code."""
    first_layer: float = 19 / 32
    """First layer that is changed, as a share of the depth."""
    last_layer: float = 28 / 32
    """Key layers as shares of the depth. Code: 19 to 28 of 32."""

    def __post_init__(self) -> None:
        if not 0 <= self.first_layer <= self.last_layer <= 1:
            raise FieldRejected.key("first_layer", self.first_layer, "shares of the depth, first <= last")
