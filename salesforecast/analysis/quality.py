"""Data quality: what is missing, what points nowhere, what was refused, and what that does to the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from salesforecast.analysis import goals
from salesforecast.analysis.comparison import ratio
from salesforecast.analysis.records import controls, customers, drift, duplicates, freshness, problems
from salesforecast.analysis.sections import SECTIONS, section
from salesforecast.engine import quote
from salesforecast.findings import Finding
from salesforecast.load.rules import violations
from salesforecast.schema import TABLES
from salesforecast.workbench import BASES

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

__all__ = [
    "checks", "completeness", "controls", "customers", "drift", "duplicates", "findings", "freshness", "imports",
    "orphans", "problems", "rejected", "sections",
]  # fmt: skip

NAN = float("nan")
# A column that hardly any line of the basis has (payments name no product) is not used, rather than incomplete.
NEVER_FILLED = 0.95
ORPHANS = 0.01
MISSING = 0.05
SAME_DAY = 0.2
# Rules of stored rows that no other check tells; under a scope they are left out, as they look at the whole store.
_RULES = (
    "returned_more", "below_cost", "closed_without_day", "closed_before_created", "open_without_amount",
    "solved_before_opened", "left_before_hired",
)  # fmt: skip
# The rule that refuses the second copy of a row.
REPEATED = "duplicate_key"
# Columns of `sales` that measures are made of.
_MEASURED = ("cost_amount", "quantity", "order_id")
# Columns of `sales` that sections group by: a line without one shows as 未归属.
_GROUPED = ("region", "channel", "person_id", "customer_id", "product_id")
_CHECKS = ["check", "severity", "table", "column", "rows", "share", "amount", "effect"]
_SEVERITIES = {"error": 0, "warning": 1, "info": 2}


def completeness(wb: Workbench) -> pd.DataFrame:
    """Return how complete each column of each loaded table is: table, column, rows, missing, missing_share.

    One row per column that has at least one value, or that is required, in the order of the schema. A null is
    missing; a zero is not.
    """
    pieces = []
    for table in TABLES.values():
        if not wb.has(table.name):
            continue
        counts = ", ".join(f"count({quote(name)}) AS {quote(name)}" for name in table.names)
        row = wb.sql(f"SELECT count(*) AS all_rows, {counts} FROM {table.name}").iloc[0]
        rows = int(row["all_rows"])
        pieces += [
            (table.name, each.name, rows, rows - int(row[each.name]), ratio(rows - int(row[each.name]), rows))
            for each in table.columns
            if row[each.name] or each.required
        ]
    return pd.DataFrame(pieces, columns=["table", "column", "rows", "missing", "missing_share"])


def orphans(wb: Workbench) -> pd.DataFrame:
    """Return the references that point to rows which are not loaded, the worst first.

    Columns: table, column, references (the table pointed to), rows (with a reference), orphans, share, amount (their
    sum of money for lines and deals, else NaN). References
    to a table that was never loaded are left out: nothing can be said about them. A reference may lead out of the
    scope: it is looked up among all rows of the table, whatever the workbench shows of it.
    """
    pieces = []
    for table in TABLES.values():
        for column in table.columns:
            if not column.references or not wb.has(table.name) or not wb.has(column.references):
                continue
            key = TABLES[column.references].key[0]
            known = f"(SELECT {key} FROM store.{column.references} WHERE {key} IS NOT NULL)"
            money = "amount" if table.name in ("transactions", "deals") else "NULL"
            row = wb.sql(
                f"SELECT count(*) AS rows, count(*) FILTER (WHERE {column.name} NOT IN {known}) AS orphans, "
                f"sum({money}) FILTER (WHERE {column.name} NOT IN {known}) AS amount "
                f"FROM {table.name} WHERE {column.name} IS NOT NULL"
            ).iloc[0]
            rows, lost = int(row["rows"]), int(row["orphans"])
            amount = float(row["amount"]) if pd.notna(row["amount"]) else NAN
            if rows:
                pieces.append((table.name, column.name, column.references, rows, lost, ratio(lost, rows), amount))
    frame = pd.DataFrame(pieces, columns=["table", "column", "references", "rows", "orphans", "share", "amount"])
    return frame.sort_values(["share", "table", "column"], ascending=[False, True, True], ignore_index=True)


def imports(wb: Workbench) -> pd.DataFrame:
    """Return the ledger of imports, oldest first.

    One row per file, sheet and table: import_id, file, sheet, table, source, rows_read, rows_stored, rows_rejected,
    rows_excluded, rows_replaced, adds_up (read = stored + rejected + excluded), sha256.
    """
    frame = wb.engine.frame(
        'SELECT import_id, file, sheet, table_name AS "table", source, rows_read, rows_stored, rows_rejected, '
        "rows_excluded, rows_replaced, sha256 FROM store.imports ORDER BY import_id, file, sheet, table_name"
    )
    parts = frame[["rows_stored", "rows_rejected", "rows_excluded"]].fillna(0).sum(axis=1)
    frame.insert(10, "adds_up", frame["rows_read"].fillna(0) == parts)
    return frame


def rejected(wb: Workbench) -> pd.DataFrame:
    """Return the refused rows, counted, most first: file, table, column, rule, rows, example (one refused value)."""
    return wb.engine.frame(
        'SELECT file, table_name AS "table", column_name AS "column", rule, count(*) AS rows, '
        'min(value) AS example FROM store.rejected GROUP BY ALL ORDER BY rows DESC, file, "table", "column", rule'
    )


@section("quality")
def checks(wb: Workbench) -> pd.DataFrame:
    """Return every check that found something, errors first.

    Columns: check (code), severity (`error`, `warning`, `info`), table, column (or None), rows, share (of the rows
    looked at), amount (revenue concerned where it can be told, else NaN), effect (code of what it does to the numbers).
    """
    rows = [
        *_rejected_rows(wb), *_excluded_rows(wb), *_orphan_rows(wb), *_missing_rows(wb), *_unassigned_rows(wb),
        *_target_rows(wb), *_deal_rows(wb), *_calendar_rows(wb), *_duplicate_rows(wb), *_import_rows(wb),
        *_rule_rows(wb),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=_CHECKS)
    order = frame["severity"].map(_SEVERITIES)
    frame = frame.assign(order=order).sort_values(
        ["order", "share", "check", "table"], ascending=[True, False, True, True], ignore_index=True
    )
    return frame.drop(columns="order")


def sections(wb: Workbench) -> pd.DataFrame:
    """Return which sections of a review can be filled: section, available, lacks (what is not there, or "")."""
    rows = []
    for each in SECTIONS.values():
        missing = [need for need in ("transactions", *each.needs) if not wb.has(need)]
        rows.append((each.id, not missing, ", ".join(missing)))
    return pd.DataFrame(rows, columns=["section", "available", "lacks"])


def findings(wb: Workbench, period: str | Period) -> list[Finding]:
    """Return the findings about the data behind a period.

    `data_unassigned`: more than 1 % of twelve months' revenue has no region, channel, person, customer or product
    (amount = minus a hundredth of the revenue concerned: it is not lost, it is only not explained; certainty 1).
    `data_rejected`: refused rows of the files that feed the basis, repeated rows apart: their first copy is counted
    (amount = minus their number times the average line; certainty 0.5). Under a scope, or when nothing of the file is
    stored that would tell what its rows are, their money is unknown: `data_rejected_rows` with amount 0.
    """
    period = wb.period(period)
    year = wb.calendar.rolling(period)
    found = []
    worst = max(_unassigned(wb, year.start, min(year.end, wb.as_of)), key=lambda each: each[2], default=None)
    if worst and worst[2] > ORPHANS:
        column, amount, share, lines = worst
        values: dict[str, float | str | None] = {"column": column, "value": amount, "share": share, "rows": lines}
        found.append(
            Finding(f"data_unassigned_{column}", "quality", "revenue", -0.01 * amount, 1.0, period.id,
                    values=values, action="fill_column")
        )  # fmt: skip
    return [*found, *_refused(wb, period)]


def _refused(wb: Workbench, period: Period) -> list[Finding]:
    lost = wb.engine.frame(
        "WITH stored AS (SELECT import_id, bool_or(txn_type IN ($adds, $subtracts)) AS feeds "
        "FROM store.transactions GROUP BY import_id) "
        'SELECT file, column_name AS "column", feeds, count(*) AS rows FROM store.rejected LEFT JOIN stored '
        "USING (import_id) WHERE table_name = 'transactions' AND rule <> $repeated AND coalesce(feeds, true) "
        'GROUP BY ALL ORDER BY rows DESC, file, "column"',
        {"adds": BASES[wb.basis][0], "subtracts": BASES[wb.basis][1], "repeated": REPEATED},
    )
    if lost.empty:
        return []
    count, column = int(lost["rows"].sum()), lost["column"].iloc[0]
    values: dict[str, float | str | None] = {
        "rows": count, "files": lost["file"].nunique(), "file": str(lost["file"].iloc[0]),
        "column": str(column) if pd.notna(column) else "—",
    }  # fmt: skip
    kind, amount = "data_rejected_rows", 0.0
    if not wb.scope and lost["feeds"].notna().all() and wb.has("sales"):
        kind, amount = "data_rejected", count * float(wb.sql("SELECT avg(abs(amount)) AS line FROM sales").iloc[0, 0])
        values["value"] = amount
    return [
        Finding(kind, "quality", "revenue", 0.0 - amount, 0.5, period.id, values=values, action="fix_rejected")
    ]  # fmt: skip


def _rejected_rows(wb: Workbench) -> list[tuple]:
    refused, read = rejected(wb), imports(wb).groupby("table")["rows_read"].sum()
    repeated = refused["rule"] == REPEATED
    return [
        (check, severity, table, None, int(rows), ratio(rows, read.get(table, 0)), NAN, effect)
        for check, severity, effect, part in (
            ("rejected_rows", "error", "not_counted", refused[~repeated]),
            ("repeated_rows", "warning", "first_counted", refused[repeated]),
        )
        for table, rows in part.groupby("table")["rows"].sum().items()
    ]


def _excluded_rows(wb: Workbench) -> list[tuple]:
    rows = []
    for each in wb.exclusions.to_dict("records"):
        reason = str(each["reason"]).partition(":")[0]
        severity = (
            "error" if reason == "no_currency_rate" else "info" if reason in ("void", "after_as_of") else "warning"
        )
        count = wb.engine.count(each["table"])
        rows.append(
            (f"excluded_{reason}", severity, each["table"], None, int(each["rows"]), ratio(each["rows"], count),
             float(each["amount"]) if pd.notna(each["amount"]) else NAN, "not_counted")
        )  # fmt: skip
    return rows


def _orphan_rows(wb: Workbench) -> list[tuple]:
    found = orphans(wb)
    return [
        ("orphans", "warning", each.table, each.column, each.orphans, each.share, each.amount, "shown_unassigned")
        for each in found[found["share"] > ORPHANS].itertuples()
    ]


def _missing_rows(wb: Workbench) -> list[tuple]:
    """Return the columns that measures use and that many counted lines lack."""
    used = [column for column in _MEASURED if wb.has("sales") and wb.has(f"sales.{column}")]
    if not used:
        return []
    counts = ", ".join(f"count(*) - count({column}) AS {column}" for column in used)
    row = wb.sql(f"SELECT count(*) AS lines, {counts} FROM sales").iloc[0]
    shares = {column: ratio(int(row[column]), int(row["lines"])) for column in used}
    return [
        ("missing_values", "warning", "transactions", column, int(row[column]), share, NAN, "partial_coverage")
        for column, share in shares.items()
        if share > MISSING
    ]


def _unassigned_rows(wb: Workbench) -> list[tuple]:
    if not wb.has("sales"):
        return []
    return [
        ("unassigned", "warning", "transactions", column, lines, share, amount, "shown_unassigned")
        for column, amount, share, lines in _unassigned(wb, *wb.bounds)
        if share > ORPHANS
    ]


def _unassigned(wb: Workbench, first: object, last: object) -> list[tuple[str, float, float, int]]:
    """Return (column, revenue, share of revenue, lines) of the lines without a value, for columns in use."""
    used = [column for column in _GROUPED if wb.has(f"sales.{column}")]
    if not used:
        return []
    columns = ", ".join(
        f"sum(gross_amount) FILTER (WHERE {column} IS NULL) AS {column}, "
        f"count(*) FILTER (WHERE {column} IS NULL) AS {column}_lines"
        for column in used
    )
    row = wb.sql(
        f"SELECT sum(gross_amount) AS total, {columns} FROM sales WHERE date BETWEEN $first AND $last",
        first=first,
        last=last,
    ).iloc[0]
    total = float(row["total"]) if pd.notna(row["total"]) else 0.0
    amounts = [float(row[column]) if pd.notna(row[column]) else 0.0 for column in used]
    return [
        (column, amount, amount / total, int(row[f"{column}_lines"]))
        for column, amount in zip(used, amounts, strict=True)
        if 0 <= amount < NEVER_FILLED * total
    ]


def _target_rows(wb: Workbench) -> list[tuple]:
    """Return scope types whose targets do not add up to the company's in some period of the fiscal year.

    Rows of one grain and period are compared with the company's row of the same; the grain that is furthest off is
    told: rows = its targets in the periods that are off, amount = their difference, share of the company's in these.
    """
    frame, year = goals.targets(wb), wb.calendar.period(wb.as_of, "year")
    frame = frame[frame["period_start"].between(year.start, year.end)]
    company = (frame["scope_type"] == "company") & (frame["scope_id"] == "*")
    if wb.scope or not company.any():
        return []
    frame = frame.assign(part=frame["scope_type"].where(~company, "*"))
    sums = frame.groupby(["grain", "period_start", "part"])["value"].agg(["sum", "count"]).unstack("part")
    rows = []
    for scope_type in goals.MEMBER_SCOPES:
        if scope_type not in sums["sum"]:
            continue
        whole = sums["sum", "*"]
        difference = sums["sum", scope_type] - whole
        # Persons' targets may exceed the company's on purpose (over-assignment), but not fall short of it.
        short = -difference if scope_type == "person" else difference.abs()
        off = short > wb.settings.targets.tolerance * whole
        if off.any():
            parts = pd.DataFrame({"off": difference, "whole": whole, "rows": sums["count", scope_type]})[off]
            by_grain = parts.groupby(level="grain").sum()
            worst = by_grain.loc[(by_grain["off"].abs() / by_grain["whole"]).idxmax()]
            rows.append(
                ("targets_do_not_add_up", "warning", "targets", scope_type, int(worst["rows"]),
                 ratio(abs(worst["off"]), worst["whole"]), float(worst["off"]), "both_shown")
            )  # fmt: skip
    return rows


def _deal_rows(wb: Workbench) -> list[tuple]:
    if not wb.has("deals"):
        return []
    row = wb.sql(
        "SELECT count(*) AS rows, count(*) FILTER (WHERE expected_close < $as_of) AS late, "
        "sum(amount) FILTER (WHERE expected_close < $as_of) AS amount FROM deals WHERE status = 'open'",
        as_of=wb.as_of,
    ).iloc[0]
    rows = []
    if row["late"]:
        rows.append(
            ("overdue_close", "info", "deals", "expected_close", int(row["late"]), ratio(row["late"], row["rows"]),
             float(row["amount"]) if pd.notna(row["amount"]) else NAN, "hygiene")
        )  # fmt: skip
    days = wb.sql(
        "SELECT CASE WHEN last_day(expected_close) = expected_close THEN 0 ELSE day(expected_close) END AS month_day, "
        "count(*) AS rows FROM deals WHERE expected_close IS NOT NULL GROUP BY ALL"
    )
    total = int(days["rows"].sum())
    if total >= 20 and days["rows"].max() > SAME_DAY * total:
        most = int(days["rows"].max())
        rows.append(
            ("close_dates_on_one_day", "info", "deals", "expected_close", most, ratio(most, total), NAN,
             "close_date_default")
        )  # fmt: skip
    return rows


def _duplicate_rows(wb: Workbench) -> list[tuple]:
    """Return the surplus records of customers that are there more than once; amount = what is sold under them."""
    twice = duplicates(wb)
    if twice.empty:
        return []
    groups = twice.drop_duplicates("group")
    surplus, count = len(twice) - len(groups), int(wb.sql("SELECT count(*) AS n FROM customers").iloc[0, 0])
    return [
        ("duplicate_customers", "warning", "customers", "name", surplus, ratio(surplus, count),
         float(groups["surplus"].sum()), "customers_split")
    ]  # fmt: skip


def _import_rows(wb: Workbench) -> list[tuple]:
    """Return total rows of files that their lines do not make, and what changed from import to import."""
    if wb.scope:
        return []
    wrong = controls(wb)
    rows = [
        ("control_total", "warning", table, None, len(part), NAN, NAN, "see_controls")
        for table, part in wrong[~wrong["agrees"]].groupby("table", sort=True)
    ]
    return rows + [
        ("import_drift", "info", table, None, len(part), NAN, NAN, "see_drift")
        for table, part in drift(wb).groupby("table", sort=True)
    ]


def _rule_rows(wb: Workbench) -> list[tuple]:
    if wb.scope:
        return []
    found = violations(wb.engine, wb.as_of, wb.settings.currency.base, 1, _RULES)
    return [
        (each.rule, each.severity, each.table, each.column, each.rows, ratio(each.rows, wb.engine.count(each.table)),
         each.amount, each.effect)
        for each in found.itertuples()
    ]  # fmt: skip


def _calendar_rows(wb: Workbench) -> list[tuple]:
    return [
        ("workdays_estimated", "info", "calendar", code.partition(":")[2], 0, NAN, NAN, "estimate")
        for code in wb.notes
        if code.startswith("workdays_estimated")
    ]
