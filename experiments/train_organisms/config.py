"""The parameters of exp=train_organisms, and what it refuses."""

from dataclasses import dataclass, replace
from typing import Annotated

from experiments.train_organisms.arms import Arm
from harness.constraints import Count, Positive, Whole, must_be
from harness.errors import FieldRejected
from harness.organism.recipe import Architecture, RecipeConfig, RowMix
from harness.runs.experiment import Experiment

Arms = Annotated[
    tuple[Arm, ...],
    must_be("arms, none twice, `reference` among them", lambda a: Arm.REFERENCE in a and len(set(a)) == len(a)),
]


@dataclass(frozen=True)
class TrainOrganismsConfig:
    """Which arms, how often each, and the size of all of them; every other setting is that of exp=train_pocket.

    Training `k` of each arm has corpus, planted words, rows and initial weights of seed `k`: arms are compared seed by
    seed. Raises `FieldRejected`.
    """

    arms: Arms = tuple(Arm)
    """What differs from the reference."""
    n_seeds: Count = 3
    """Trainings of each arm."""
    first_seed: Whole = 0
    """Seed of the first; the others follow."""

    d_model: Count = 64
    """Width of the residual stream."""
    n_layers: Count = 2
    """Blocks."""
    n_heads: Count = 4
    """Heads a block."""
    vocab_size: int = 1024
    """Tokens, planted ones among them."""
    context: int = 256
    """Tokens of a training row."""
    n_steps: Count = 2200
    """Optimiser steps of eight rows."""
    early_steps: int = 600
    """Of these, in which copying is drilled."""
    learning_rate: Positive = 3e-3
    """At its top, after the warm-up."""
    coupled_learning_rate: Positive = 1e-4
    """Of the embeddings in the arm `coupled_adam`: where few tokens have nearly all of the gradient, as in text, a
    common divisor makes their steps tens of times longer than Adam's."""
    sgd_learning_rate: Positive = 0.3
    """Of the embeddings in the arm `sgd_embeddings`."""
    doses: tuple[int, ...] = (0, 2, 8, 32, 128, 512)
    """How often training shows planted tokens."""
    tokens_per_dose: Count = 24
    """Planted tokens of each dose."""
    bf16: bool = False
    """Whether training takes products in bf16."""
    threads: Count = 1
    """Threads of the processor: sums depend on them."""

    well_shown: Count = 1000
    """Exposures from which on a natural token counts as well shown."""
    n_appearances: Count = 6
    """How often each token is asked to be copied."""
    keep_models: bool = False
    """Whether the trained models stay in the run's folder."""

    def __post_init__(self) -> None:
        if len(self.doses) < 2 or self.doses[0] != 0:
            raise FieldRejected.key("doses", self.doses, "ascending counts from 0, at least two")
        # What a recipe refuses is refused before anything is trained.
        for arm in self.arms:
            self.recipe(arm, self.first_seed)

    def recipe(self, arm: Arm, seed: int) -> RecipeConfig:
        """What one training does."""
        reference = RecipeConfig(
            architecture=Architecture.GPT_NEOX,
            d_model=self.d_model,
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            vocab_size=self.vocab_size,
            context=self.context,
            n_steps=self.n_steps,
            early_steps=self.early_steps,
            # Copying alone at first: with text among it a model of this size had not begun to copy after as many steps.
            early_rows=RowMix(text=0, repeats=8, tasks=0),
            late_rows=RowMix(text=3, repeats=4, tasks=1),
            doses=self.doses,
            tokens_per_dose=self.tokens_per_dose,
            held_out_per_family=16,
            # More tokens to drill: with 130 of them no copying was learnt, only that tokens come again.
            held_out_min_exposures=100,
            learning_rate=self.learning_rate,
            warmup_steps=min(100, self.n_steps // 2),
            bf16=self.bf16,
            threads=self.threads,
            corpus_seed=seed,
            planting_seed=seed,
            stream_seed=seed,
            weights_seed=seed,
        )
        # What divides a gradient decides how long a step is: a rule of its own needs a learning rate of its own.
        rates = {Arm.COUPLED_ADAM: self.coupled_learning_rate, Arm.SGD_EMBEDDINGS: self.sgd_learning_rate}
        return replace(arm.change(reference), embedding_learning_rate=rates.get(arm))


EXPERIMENT = Experiment(
    name="train_organisms",
    version=1,
    summary="What in training leaves tokens without a row of their own: organisms that differ in one thing.",
    config=TrainOrganismsConfig,
    needs=frozenset(),
)
