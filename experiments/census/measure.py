"""A census by the rule that the config names."""

from experiments.census.agreement import measure_agreement
from experiments.census.config import CensusConfig
from experiments.census.published import measure_published
from harness.glitch.census.rules import VerdictRule
from harness.runs.context import Outcome, Run


def measure(run: Run[CensusConfig]) -> Outcome:
    """Ask the tokens and judge them."""
    return measure_published(run) if run.exp.verdict is VerdictRule.PUBLISHED else measure_agreement(run)
