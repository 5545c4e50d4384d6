"""The views a workbench lays over a store: what is visible as of the day, in scope, and as lines in base currency.

`create` makes them once; everything here is SQL over the catalog `store` and over temporary tables named `_…`.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from salesforecast.engine import literal, quote
from salesforecast.errors import UnknownName, suggestion
from salesforecast.schema import TABLES

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench

# basis -> the lines it counts: what adds, what is subtracted
BASES: dict[str, tuple[str, str]] = {
    "order": ("order", "return"),
    "shipment": ("shipment", "return"),
    "invoice": ("invoice", "return"),
    "payment": ("payment", "refund"),
}
# scope type -> the column it selects in `sales`
SCOPES = {
    "region": "region",
    "channel": "channel",
    "person": "person_id",
    "team": "team",
    "product": "product_id",
    "category": "category",
    "customer": "customer_id",
    "currency": "currency",
}

# Up to this many lines `sales` is computed once and kept, which makes a question some thirty times quicker; above it
# stays a view, so that memory does not grow with the store. A million lines take 0.3 GB and 0.8 s.
KEPT_LINES = 5_000_000

# scope type -> table -> column by which other tables are filtered. A ticket's channel and category are not those of
# a sale, and the person of a ticket is a service agent: these are left alone.
_ELSEWHERE: dict[str, dict[str, str]] = {
    "region": {"customers": "region", "people": "region", "deals": "region"},
    "channel": {"deals": "channel"},
    "person": {
        "people": "person_id", "customers": "owner_id", "deals": "owner_id", "activities": "person_id",
        "register": "owner_id",
    },
    "team": {
        "people": "team", "customers": "owner_id", "deals": "owner_id", "activities": "person_id",
        "register": "owner_id",
    },
    "product": {"products": "product_id", "deals": "product_id", "feedback": "product_id"},
    "category": {"products": "category", "deals": "category"},
    "customer": dict.fromkeys(("customers", "deals", "activities", "feedback"), "customer_id"),
    "currency": {"deals": "currency"},
}  # fmt: skip

# table -> the column that says since when a row exists; tables not named here are kept whole
SINCE = {
    "transactions": "date",
    "deals": "created_at",
    "deal_events": "at",
    "activities": "at",
    "measurements": "period_start",
    "feedback": "opened_at",
    "register": "opened_at",
    "forecasts": "made_on",
}
EARLIEST = "DATE '1990-01-01'"


# Exports without ids name people and products; a name that is unique and no id of another row serves as the key.
_TEAMS = """
    WITH spells AS (
        SELECT person_id, coalesce(valid_from, DATE '0001-01-01') AS starts, max(team) AS team
        FROM store.people GROUP BY ALL
    ), keys AS (
        SELECT DISTINCT person_id AS key, person_id FROM store.people
        UNION ALL
        SELECT name, min(person_id) FROM store.people
        WHERE name IS NOT NULL AND name NOT IN (SELECT person_id FROM store.people)
        GROUP BY name HAVING count(DISTINCT person_id) = 1
    )
    SELECT key, team,
        CASE WHEN row_number() OVER w = 1 THEN DATE '0001-01-01' ELSE starts END AS starts,
        coalesce(lead(starts) OVER w, DATE '9999-12-31') AS ends
    FROM keys JOIN spells USING (person_id) WINDOW w AS (PARTITION BY key ORDER BY starts)
"""
_CATEGORIES = """
    SELECT product_id AS key, max(category) AS category FROM store.products GROUP BY product_id
    UNION ALL
    SELECT name, max(category) FROM store.products
    WHERE name IS NOT NULL AND name NOT IN (SELECT product_id FROM store.products)
    GROUP BY name HAVING count(DISTINCT product_id) = 1
"""
_TEAM_JOIN = "LEFT JOIN _teams s ON s.key = t.person_id AND t.date >= s.starts AND t.date < s.ends"
# Grouped, though its keys are unique: DuckDB leaves out a join that it knows to add no row and nobody asks a column of.
_CATEGORY_JOIN = (
    "LEFT JOIN (SELECT key, max(category) AS category FROM _categories GROUP BY key) p ON p.key = t.product_id"
)
_STARTS = ("week_start", "month_start", "quarter_start", "year_start")


def create(wb: Workbench) -> None:
    """Create the 12 tables as views, and `calendar`, `sales` and `cash`; raises `UnknownName` for the scope."""
    engine = wb.engine
    engine.keep("_teams", _TEAMS)
    engine.keep("_categories", _CATEGORIES)
    for kind, id in wb.scope.items():
        _check_scope(wb, kind, id)
    for name in TABLES:
        engine.view(
            name,
            f"SELECT t.* FROM store.{name} t {_joins(wb, name)} "
            f"WHERE ({_visible(wb, name)}) AND ({_in_scope(wb, name)})",
        )
    _create_calendar(wb)
    _create_rates(wb)
    _create_lines(wb, "sales", wb.basis)
    if wb.basis == "payment":
        engine.view("cash", "SELECT * FROM sales")
    else:
        _create_lines(wb, "cash", "payment")


def span(wb: Workbench) -> str:
    """Return the query of `Workbench.bounds`: first and last day of `sales`, without what is joined to its lines."""
    return f"SELECT min(t.date), max(t.date) FROM transactions t {_rate_join(wb)} WHERE {_counted(wb, wb.basis)}"


def exclusions(wb: Workbench) -> str:
    """Return the query of `Workbench.exclusions`."""
    others = " UNION ALL ".join(
        f"SELECT {literal(name)}, 'after_as_of', count(*), CAST(NULL AS DECIMAL(38,4)) FROM store.{name} t "
        f"WHERE NOT ({_visible(wb, name)}) AND ({_in_scope(wb, name)})"
        for name in SINCE
        if name not in ("transactions", "forecasts")  # a forecast made later is no data that is left out
    )
    every = f"SELECT * FROM ({_excluded_lines(wb)} UNION ALL {others}) AS every WHERE rows > 0"
    return f"{every} ORDER BY 1, 2, 3, 4"


def _create_calendar(wb: Workbench) -> None:
    first = wb.engine.rows("SELECT min(date) FROM transactions")[0][0] or wb.as_of
    margin = timedelta(days=3 * 366)
    wb.engine.put("calendar", wb.calendar.frame(first - margin, wb.as_of + margin), days=("date", *_STARTS))


def _create_rates(wb: Workbench) -> None:
    """Create the rate of every foreign currency on every day: the latest one that began by then."""
    wb.engine.keep(
        "_rates",
        """
        WITH rates AS (
            SELECT upper(scope_id) AS currency, period_start, avg(value) AS rate FROM measurements
            WHERE measure = 'fx_rate' AND scope_type = 'currency' AND value > 0 GROUP BY ALL
        ), spells AS (
            SELECT currency, rate, period_start AS starts,
                coalesce(lead(period_start) OVER w, DATE '9999-12-31') AS ends
            FROM rates WINDOW w AS (PARTITION BY currency ORDER BY period_start)
        )
        SELECT days.date, spells.currency, spells.rate
        FROM calendar AS days JOIN spells ON days.date >= spells.starts AND days.date < spells.ends
        """,
    )


def _create_lines(wb: Workbench, name: str, basis: str) -> None:
    """Create `sales` (or `cash`), one row per counted line; kept as a table unless there are too many lines.

    Money stays decimal: a sum of floats would depend on the order in which threads finish.
    """
    adds, subtracts = (literal(kind) for kind in BASES[basis])
    counted = _counted(wb, basis)
    rows = wb.engine.rows(f"SELECT count(*) FROM transactions t {_rate_join(wb)} WHERE {counted}")[0][0]
    bought = f"{counted} AND t.txn_type = {adds}"
    if rows <= KEPT_LINES:
        first = f"min(t.date) AS first_day FROM transactions t {_rate_join(wb)} WHERE {bought}"
    else:
        # The conditions stand in the aggregate, for only then DuckDB leaves out the join where nobody asks for it.
        seen = f"({_visible(wb, 'transactions')}) AND ({_in_scope(wb, 'transactions')}) AND {bought}"
        joins = f"{_joins(wb, 'transactions')} {_rate_join(wb)}"
        first = f"min(CASE WHEN {seen} THEN t.date END) AS first_day FROM store.transactions t {joins}"
    wb.engine.view(f"_first_{name}", f"SELECT t.customer_id, {first} GROUP BY t.customer_id")
    amount, cost, list_amount = (_converted(wb, each) for each in ("amount", "cost_amount", "list_amount"))
    added = f"t.txn_type = {adds}"
    extra = [f"t.{quote(each)}" for each in wb.engine.columns("transactions") if each.startswith("x_")]
    calendar = [f"c.{each}" for each in (*_STARTS, "workday")]
    create = wb.engine.keep if rows <= KEPT_LINES else wb.engine.view
    create(
        name,
        f"""
        SELECT t.date,
            CASE WHEN {added} THEN {amount} ELSE -{amount} END AS amount,
            CASE WHEN {added} THEN {amount} ELSE 0 END AS gross_amount,
            CASE WHEN {added} THEN {_nothing_returned(wb, subtracts)} ELSE {amount} END AS return_amount,
            CASE WHEN {added} THEN t.quantity ELSE -t.quantity END AS quantity,
            CASE WHEN {added} THEN {cost} ELSE -{cost} END AS cost_amount,
            CASE WHEN {added} THEN {list_amount} ELSE -{list_amount} END AS list_amount,
            t.order_id, t.customer_id, t.person_id, t.product_id, t.channel, t.region,
            coalesce(t.category, p.category) AS category, s.team, t.txn_type, {_currency(wb)} AS currency,
            coalesce({added} AND t.date = f.first_day, false) AS is_new_customer,
            {", ".join(calendar + extra)}
        FROM transactions t {_rate_join(wb)} {_CATEGORY_JOIN} {_TEAM_JOIN}
        LEFT JOIN _first_{name} f ON f.customer_id = t.customer_id
        LEFT JOIN calendar c ON c.date = t.date
        WHERE {counted}
        """,
    )


def _counted(wb: Workbench, basis: str) -> str:
    """Return the condition under which a line (alias `t`, rate `r`) counts."""
    adds, subtracts = (literal(kind) for kind in BASES[basis])
    return f"t.txn_type IN ({adds}, {subtracts}) AND coalesce(t.status, 'valid') = 'valid' AND {_has_rate(wb)}"


def _nothing_returned(wb: Workbench, subtracts: str) -> str:
    """Return what a line that is no return has returned: 0, or NULL when the store has no returns at all.

    A return rate of a company whose returns were never loaded is unknown, not zero.
    """
    return "0" if wb.engine.rows(f"SELECT 1 FROM store.transactions WHERE txn_type = {subtracts} LIMIT 1") else "NULL"


def _currency(wb: Workbench) -> str:
    return f"coalesce(t.currency, {literal(wb.settings.currency.base)})"


def _converted(wb: Workbench, column: str) -> str:
    """Return the SQL of a money column in the base currency; without foreign lines nothing is multiplied."""
    return f"CAST(t.{column} * {_rate(wb)} AS DECIMAL(18,4))" if wb.has_foreign_lines else f"t.{column}"


def _rate(wb: Workbench) -> str:
    return f"CASE WHEN {_currency(wb)} = {literal(wb.settings.currency.base)} THEN 1 ELSE r.rate END"


def _rate_join(wb: Workbench) -> str:
    return "LEFT JOIN _rates r ON r.currency = t.currency AND r.date = t.date" if wb.has_foreign_lines else ""


def _has_rate(wb: Workbench) -> str:
    return f"{_rate(wb)} IS NOT NULL" if wb.has_foreign_lines else "true"


def _excluded_lines(wb: Workbench) -> str:
    """Return a query for table, reason, rows and amount of the lines of the basis that are not in `sales`."""
    adds, subtracts = BASES[wb.basis]
    amount = _converted(wb, "amount")
    return f"""
        SELECT 'transactions' AS "table", reason, count(*) AS rows,
            CASE WHEN count(*) = count(amount) THEN sum(amount) END AS amount
        FROM (
            SELECT reason, sign * CASE WHEN reason LIKE 'no_currency_rate%' THEN own ELSE converted END AS amount
            FROM (
                SELECT CASE
                        WHEN t.date > {_day(wb.as_of)} THEN 'after_as_of'
                        WHEN t.date < {EARLIEST} THEN 'before_1990'
                        WHEN t.status <> 'valid' THEN t.status
                        WHEN NOT ({_has_rate(wb)}) THEN 'no_currency_rate:' || t.currency
                    END AS reason,
                    CASE t.txn_type WHEN '{adds}' THEN 1 ELSE -1 END AS sign, t.amount AS own, {amount} AS converted
                FROM store.transactions t {_joins(wb, "transactions")} {_rate_join(wb)}
                WHERE t.txn_type IN ('{adds}', '{subtracts}') AND ({_in_scope(wb, "transactions")})
            ) AS lines
        ) AS reasons
        WHERE reason IS NOT NULL GROUP BY reason
    """


def _day(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def _visible(wb: Workbench, table: str) -> str:
    """Return the condition under which a row (alias `t`) exists as of the day."""
    if table == "transactions":
        return f"t.date BETWEEN {EARLIEST} AND {_day(wb.as_of)}"
    if table not in SINCE:
        return "true"
    since = SINCE[table]
    if TABLES[table].column(since).kind == "timestamp":
        limit = f"< TIMESTAMP '{_end_of_day(wb.as_of, wb.settings.timezone)}'"
    else:  # a forecast is judged by later editions, never by the one that made it
        limit = f"{'<' if table == 'forecasts' else '<='} {_day(wb.as_of)}"
    return f"t.{quote(since)} IS NULL OR t.{quote(since)} {limit}"


def _end_of_day(day: date, timezone: str) -> datetime:
    """Return the end of a business day in the company's time zone as naive UTC."""
    midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone))
    return midnight.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


def _joins(wb: Workbench, table: str) -> str:
    if table != "transactions":
        return ""
    return " ".join(join for kind, join in (("team", _TEAM_JOIN), ("category", _CATEGORY_JOIN)) if kind in wb.scope)


def _in_scope(wb: Workbench, table: str) -> str:
    """Return the condition under which a row (alias `t`) is inside the scope."""
    if table == "deal_events":
        narrowed = any("deals" in _ELSEWHERE[kind] for kind in wb.scope)
        return "t.deal_id IN (SELECT deal_id FROM deals)" if narrowed else "true"
    conditions = []
    for kind, id in wb.scope.items():
        if table == "transactions":
            conditions.append(f"{_scope_value(wb, kind)} = {literal(id)}")
        elif table in _ELSEWHERE[kind]:
            column = f"t.{_ELSEWHERE[kind][table]}"
            if kind == "team" and table != "people":
                conditions.append(f"{column} IN (SELECT key FROM _teams WHERE team = {literal(id)})")
            else:
                column = _currency(wb) if kind == "currency" else column
                conditions.append(f"{column} = {literal(id)}")
    return " AND ".join(conditions) or "true"


def _scope_value(wb: Workbench, kind: str) -> str:
    """Return the SQL of a line's value (alias `t`) that a scope of that type selects."""
    special = {"team": "s.team", "category": "coalesce(t.category, p.category)", "currency": _currency(wb)}
    return special.get(kind, f"t.{SCOPES[kind]}")


def _check_scope(wb: Workbench, kind: str, id: str) -> None:
    known = " UNION ALL ".join(
        [f"SELECT {_scope_value(wb, kind)} AS id FROM store.transactions t {_joins(wb, 'transactions')}"]
        + [f"SELECT scope_id FROM store.targets WHERE scope_type = {literal(kind)} AND scope_id <> '*'"]
        + [
            f"SELECT {column} FROM store.{table}"
            for table, column in _ELSEWHERE[kind].items()
            if kind != "team" or table == "people"
        ]
    )
    if wb.engine.rows(f"SELECT 1 FROM ({known}) AS known WHERE id = $id LIMIT 1", {"id": id}):
        return
    ids = [
        row[0]
        for row in wb.engine.rows(
            f"SELECT DISTINCT id FROM ({known}) AS known WHERE id IS NOT NULL ORDER BY id LIMIT 5000"
        )
    ]
    if not ids:
        raise UnknownName(f"No {kind} named {id!r}: the store names no {kind} at all.")
    shown = ", ".join(ids[:12]) + (" …" if len(ids) > 12 else "")
    raise UnknownName(f"No {kind} named {id!r}.{suggestion(id, ids)} Available: {shown}.")
