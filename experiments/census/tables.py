"""Tables of one census run, by the rule it was judged by."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from experiments.census.agreement_tables import AGREEMENT_TABLES
from experiments.census.published_tables import PUBLISHED_TABLES, SHARED_TABLES
from harness.glitch.census.verdict import VerdictRule
from harness.reporting.display import Table
from harness.runs.results.stored_run import StoredRun


def _only(rule: VerdictRule, table: Table) -> Table:
    build: Callable[[StoredRun], pd.DataFrame | None] = table.build
    return replace(table, build=lambda run: build(run) if run.details["verdict"] == rule.value else None)


TABLES = (
    *(_only(VerdictRule.AGREEMENT, table) for table in AGREEMENT_TABLES),
    *(_only(VerdictRule.PUBLISHED, table) for table in PUBLISHED_TABLES),
    *SHARED_TABLES,
)
