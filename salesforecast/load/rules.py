"""The rules of the store as SQL: what is wrong with rows that were stored, row by row, with file and line.

Rules that refuse a row when it is imported stand in `schema.py`; what they refused is in the table `rejected` and
listed here too. These rules refuse nothing: the rows are counted as their `effect` says.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from salesforecast.engine import Reader, literal, quote
from salesforecast.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 200  # listed per rule; `rows` counts all of them
# What readers know a row by, where the first part of the key is not it.
_IDS = {"transactions": "order_id", "targets": "scope_id", "measurements": "scope_id", "forecasts": "scope_id"}
_COLUMNS = ["rule", "severity", "table", "column", "rows", "amount", "file", "row", "key", "written", "effect"]


@dataclass(frozen=True)
class StoreRule:
    """A row of `table` (alias t) breaks the rule where `fails` (SQL) is true; `needs` are other tables it reads.

    `{as_of}` in the text is the day the data is seen from, `{base}` the company's currency. `money` is the column whose
    sum says how much is concerned.
    """

    name: str
    severity: str
    table: str
    column: str
    fails: str
    effect: str
    needs: tuple[str, ...] = ()
    money: str = ""


def _orphans() -> tuple[StoreRule, ...]:
    return tuple(
        StoreRule(
            "orphan", "warning", table.name, each.name,
            f"t.{each.name} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM store.{each.references} AS m "
            f"WHERE m.{TABLES[each.references].key[0]} = t.{each.name})",
            "shown_unassigned", (each.references,), "amount" if table.name in ("transactions", "deals") else "",
        )
        for table in TABLES.values()
        for each in table.columns
        if each.references
    )  # fmt: skip


RULES: tuple[StoreRule, ...] = (
    StoreRule("date_outside", "warning", "transactions", "date", "t.date < DATE '1990-01-01' OR t.date > {as_of}",
              "not_counted", (), "amount"),
    StoreRule("no_rate", "error", "transactions", "currency",
              "t.currency <> {base} AND NOT EXISTS (SELECT 1 FROM store.measurements AS m WHERE m.measure = 'fx_rate' "
              "AND m.scope_type = 'currency' AND m.scope_id = t.currency)", "not_counted", (), "amount"),
    StoreRule("returned_more", "warning", "transactions", "order_id",
              "t.txn_type = 'return' AND t.order_id IN (SELECT r.order_id FROM store.transactions AS r "
              "WHERE r.txn_type IN ('order', 'return') GROUP BY r.order_id HAVING sum(CASE WHEN r.txn_type = 'order' "
              "THEN r.amount ELSE 0 END) > 0 AND sum(CASE WHEN r.txn_type = 'order' THEN r.amount ELSE -r.amount END) "
              "< 0)",
              "counted_anyway", (), "amount"),
    StoreRule("below_cost", "info", "transactions", "cost_amount",
              "t.txn_type = 'order' AND t.cost_amount > t.amount AND t.amount > 0", "counted_anyway", (), "amount"),
    StoreRule("no_customer", "info", "transactions", "customer_id", "t.customer_id IS NULL", "shown_unassigned",
              ("customers",), "amount"),
    StoreRule("overdue_close", "info", "deals", "expected_close", "t.status = 'open' AND t.expected_close < {as_of}",
              "hygiene", (), "amount"),
    StoreRule("closed_without_day", "warning", "deals", "closed_at",
              "t.status IN ('won', 'lost') AND t.closed_at IS NULL", "not_in_cycles", (), "amount"),
    StoreRule("closed_before_created", "warning", "deals", "closed_at",
              "t.status IN ('won', 'lost') AND t.closed_at < CAST(t.created_at AS DATE)", "not_in_cycles", (),
              "amount"),
    StoreRule("open_without_amount", "info", "deals", "amount", "t.status = 'open' AND coalesce(t.amount, 0) = 0",
              "hygiene"),
    StoreRule("solved_before_opened", "warning", "feedback", "resolved_at", "t.resolved_at < t.opened_at",
              "not_in_cycles"),
    StoreRule("left_before_hired", "warning", "people", "leave_date", "t.leave_date < t.hire_date", "hygiene"),
    *_orphans(),
)  # fmt: skip


def violations(
    store: Reader, as_of: date, base: str = "CNY", most: int = MOST_ROWS, only: Collection[str] | None = None
) -> pd.DataFrame:
    """Return the stored rows that break a rule and the rows that were refused, errors first.

    One row per listed row: rule (code), severity (error, warning, info), table, column, rows (how many break the rule),
    amount (their sum of money, NaN where there is none), file, row (as a spreadsheet numbers it), key (what identifies
    the row), written (what stands there), effect (code). At most `most` rows of each rule are listed, in the order of
    files and rows; `only` names the rules to look at, refused rows left out. Orphans are looked for only where the
    table referred to has rows.
    """
    import pandas as pd

    filled = {name: bool(store.count(name)) for name in TABLES}
    pieces: list[list[object]] = []
    for rule in RULES:
        wanted = only is None or rule.name in only
        if wanted and filled[rule.table] and all(filled[each] for each in rule.needs):
            pieces += _broken(store, rule, as_of, base, most)
    pieces += _refused(store, most) if only is None else []
    order = {"error": 0, "warning": 1, "info": 2}
    pieces.sort(key=lambda each: order[str(each[1])])
    frame = pd.DataFrame(pieces, columns=_COLUMNS)
    return frame.astype({"rows": "int64", "amount": "float64"})


def _broken(store: Reader, rule: StoreRule, as_of: date, base: str, most: int) -> list[list[object]]:
    fails = rule.fails.format(as_of=f"DATE '{as_of}'", base=literal(base))
    source = f"FROM store.{rule.table} AS t WHERE {fails}"
    money = f"sum(CAST(t.{rule.money} AS DOUBLE PRECISION))" if rule.money else "CAST(NULL AS DOUBLE PRECISION)"
    rows, amount = store.rows(f"SELECT count(*), {money} {source}")[0]
    if not rows:
        return []
    key = _IDS.get(rule.table, TABLES[rule.table].key[0])
    listed = store.rows(
        f"SELECT t.source_file, t.source_row, CAST(t.{quote(key)} AS VARCHAR), CAST(t.{quote(rule.column)} AS VARCHAR) "
        f"{source} ORDER BY t.source_file, t.source_row, 3, 4 LIMIT {most}"
    )
    total = float("nan") if amount is None else float(amount)
    return [[rule.name, rule.severity, rule.table, rule.column, rows, total, *each, rule.effect] for each in listed]


def _refused(store: Reader, most: int) -> list[list[object]]:
    groups = store.rows(
        "SELECT rule, table_name, column_name, count(*) FROM store.rejected GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3"
    )
    pieces: list[list[object]] = []
    for rule, table, column, count in groups:
        where = f"rule = {literal(rule)} AND table_name = {literal(table)} AND " + (
            "column_name IS NULL" if column is None else f"column_name = {literal(column)}"
        )
        listed = store.rows(
            f"SELECT file, row_number, value FROM store.rejected WHERE {where} ORDER BY file, row_number LIMIT {most}"
        )
        repeated = rule == "duplicate_key"
        effect, severity = ("first_counted", "warning") if repeated else ("not_counted", "error")
        nan = float("nan")
        pieces += [
            [
                rule,
                severity,
                table,
                column,
                count,
                nan,
                file,
                row,
                None,
                (value or "").replace("\x1f", " ") or None,
                effect,
            ]
            for file, row, value in listed
        ]
    return pieces
