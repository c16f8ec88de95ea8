"""Tables of one census run, by the rule it was judged by."""

from dataclasses import replace

import pandas as pd

from experiments.census.agreement_tables import AGREEMENT_TABLES
from experiments.census.published_tables import PUBLISHED_TABLES, SHARED_TABLES
from harness.glitch.census.rules import VerdictRule
from harness.reporting.display import Table
from harness.runs.results.stored_run import StoredRun


def _of(rule: VerdictRule | None, table: Table) -> Table:
    """The table, built of runs by one rule alone; None: of all."""

    def build(run: StoredRun) -> pd.DataFrame | None:
        return table.build(run) if rule is None or run.details["verdict"] == rule.value else None

    return replace(table, build=build)


TABLES = (
    *(_of(VerdictRule.AGREEMENT, table) for table in AGREEMENT_TABLES),
    *(_of(VerdictRule.PUBLISHED, table) for table in PUBLISHED_TABLES),
    *(_of(None, table) for table in SHARED_TABLES),
)
