"""The rows that an import refuses: kept in the store with their reasons, shown in the report, written out whole."""

from __future__ import annotations

from typing import Any

from salesforecast.engine import Engine, literal, quote
from salesforecast.load import staging
from salesforecast.load.files import Source
from salesforecast.load.mapping import Plan
from salesforecast.load.report import Refused
from salesforecast.load.staging import Staged

MOST_SHOWN = 10_000  # rejected rows of a file that the report shows; all of them are in the store


class Refusals:
    """The refused rows of one call: `count` of all, `shown` the first of each file, `whole` with their own cells."""

    def __init__(self, store: Engine) -> None:
        self.store = store
        self.shown: list[tuple[Any, ...]] = []
        self.whole: list[Refused] = []
        self.count = 0

    def rows(self, made: Plan, staged: Staged, import_id: int) -> tuple[int, int]:
        """Keep the rejected rows with their reasons and their original cells; returns how many, and the total rows.

        All of them are written to the store; the report shows the first ones.
        """
        row = quote("row")
        line = "line_no" if made.table == "transactions" else "CAST(NULL AS BIGINT) AS line_no"
        repeated = len(staged.checks)
        bad = f"{staged.relation}_bad"
        self.store.execute(
            f"CREATE OR REPLACE TEMP TABLE {bad} AS SELECT {row}, problem, problem_value AS value, total, {line} "
            f"FROM {staged.relation} WHERE problem IS NOT NULL OR total"
        )
        if staged.repeated:
            self.store.execute(
                f"INSERT INTO {bad} SELECT {row}, {repeated}, row_key, false, NULL FROM {staged.repeated}"
            )
        rejected, totals = self.store.rows(f"SELECT count(*) FILTER (NOT total), count(*) FILTER (total) FROM {bad}")[0]
        if not rejected:
            return 0, totals
        checks = [*staged.checks, staging.repeated_key(made.table)]
        reasons = {}
        for name in ("column", "rule", "message"):
            cases = (f"WHEN {number} THEN {literal(getattr(each, name))}" for number, each in enumerate(checks))
            reasons[name] = f"CASE problem {' '.join(cases)} END"
        found = (
            f"SELECT {literal(made.source.name)}, {row}, {literal(made.table)}, {reasons['column']}, "
            f"{reasons['rule']}, value, {reasons['message']} FROM {bad} WHERE NOT total ORDER BY {row}"
        )
        self.store.execute(f"INSERT INTO store.rejected SELECT {import_id}, * FROM ({found})")
        self.shown += self.store.rows(f"{found} LIMIT {MOST_SHOWN}")
        self.count += rejected
        # A line keeps its number, or the corrected row would take the place of the first line of its order.
        numbered = made.table == "transactions" and "line_no" not in made.columns and "order_id" in made.columns
        number = ", b.line_no" if numbered else ""
        cells = ", ".join(f"r.c{each}" for each in range(len(made.source.headers)))
        headers = (*made.source.headers, *(["line_no"] if numbered else []))
        reason = ", ".join(reasons[name] for name in ("column", "rule"))
        query = (
            f"SELECT {cells}{number}, b.{row}, {reason}, b.value, {reasons['message']} FROM {bad} AS b "
            f"JOIN {made.source.relation} AS r USING ({row}) WHERE NOT b.total ORDER BY b.{row}"
        )
        self.whole.append(Refused.of(self.store, made.source.name, headers, query, rejected))
        return rejected, totals

    def ragged(self, source: Source, table: str, import_id: int) -> None:
        """Keep the rows whose number of cells is not that of the header."""
        if not source.ragged:
            return
        width = len(source.headers)
        found = (
            f"SELECT {literal(source.name)}, {quote('row')}, {literal(table)}, NULL, 'ragged', content, "
            f"'the row has ' || cells || ' cells, the header {width}' FROM {source.relation}_ragged "
            f"ORDER BY {quote('row')}"
        )
        self.store.execute(f"INSERT INTO store.rejected SELECT {import_id}, * FROM ({found})")
        self.shown += self.store.rows(f"{found} LIMIT {MOST_SHOWN}")
        self.count += source.ragged

    def erased(self, import_id: int, count: int) -> None:
        """Show the rows that were refused because someone was erased."""
        found = f"FROM store.rejected WHERE import_id = {import_id} AND rule = 'erased' ORDER BY row_number"
        self.shown += self.store.rows(
            f"SELECT file, row_number, table_name, column_name, rule, value, message {found} LIMIT {MOST_SHOWN}"
        )
        self.count += count
