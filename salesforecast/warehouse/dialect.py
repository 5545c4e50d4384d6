"""One query text for every engine: SQL written for DuckDB is rewritten so that another engine answers the same.

sqlglot translates the syntax; what engines would silently answer differently is settled here: division, means of
decimals, order of nulls, `GROUP BY ALL`, patterns, rounding. What cannot be settled is refused, not guessed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Literal

import sqlglot
from sqlglot import exp

from salesforecast.errors import BadValue

Dialect = Literal["postgres", "spark"]

# The tables of the store are views of the session, which have the declared types whatever the tables have.
STORE = "store_"
ENGINES = {"postgres": "PostgreSQL", "spark": "Spark"}
_WRITING = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Drop, exp.Alter, exp.Copy, exp.Lock)
# Formats of week and weekday have no equal elsewhere.
_FORMATS_OF_WEEKS = re.compile("%[GVuwUW]")


def check(query: str) -> None:
    """Raise `BadValue` for anything but one SELECT.

    >>> check("DROP TABLE sales")
    Traceback (most recent call last):
    salesforecast.errors.BadValue: wb.sql takes one SELECT: Only SELECT statements can be run.
    """
    statements = _parsed(query)
    if len(statements) != 1:
        raise BadValue(f"wb.sql takes one SELECT, found {len(statements)} statements.")
    if not isinstance(statements[0], exp.Query | exp.Values) or statements[0].find(*_WRITING):
        raise BadValue("wb.sql takes one SELECT: Only SELECT statements can be run.")


def translate(query: str, dialect: Dialect, params: Mapping[str, Any] | None = None) -> str:
    """Return one query for another engine; `$name` becomes the literal of its value.

    Tables below `store` become the views `store_…` of the session. Raises `BadValue` for what cannot be read, lacks a
    parameter or has no equal on that engine.

    >>> print(translate("SELECT a / b AS x FROM store.lines WHERE c = $c GROUP BY ALL", "postgres", {"c": "O'N"}))
    SELECT CAST("a" AS DOUBLE PRECISION) / NULLIF("b", 0) AS "x" FROM "store_lines" AS "lines"
    WHERE "c" = 'O''N' GROUP BY 1
    """
    (tree,) = _parsed(query)
    for step in (
        partial(_fill, params=params or {}), _store, _all, partial(_derived, number=itertools.count(1)), _refuse,
        _ratio, _mean, _nothing, _pattern, partial(_engine_own, dialect=dialect), partial(_quoted, dialect=dialect),
    ):  # fmt: skip
        tree = _everywhere(tree, step)
    try:
        return tree.sql(dialect=dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.UnsupportedError as error:
        raise BadValue(f"The query cannot be run on {ENGINES[dialect]}: {error}") from None


def output_names(query: str) -> list[str] | None:
    """Return the names of the columns of a query as they are written; None where a star hides them.

    >>> output_names("SELECT sum(a) AS Total, b FROM t"), output_names("SELECT * FROM t")
    (['Total', 'b'], None)
    """
    (tree,) = _parsed(query)
    if not isinstance(tree, exp.Query) or tree.is_star:
        return None
    return list(tree.named_selects)


def _parsed(query: str) -> list[exp.Expr]:
    try:
        return [each for each in sqlglot.parse(query, read="duckdb") if each is not None]
    except sqlglot.errors.SqlglotError as error:
        found = error.errors[0] if isinstance(error, sqlglot.errors.ParseError) and error.errors else {}
        where = f" near {found['highlight']!r}" if found.get("highlight") else ""
        raise BadValue(f"The query cannot be read: {found.get('description', 'it is no SQL')}{where}") from None


def _everywhere(tree: exp.Expr, step: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Rewrite every part of a query, the innermost first."""
    for node in reversed(list(tree.walk())):
        rewritten = step(node)
        if node is tree:
            tree = rewritten
        elif rewritten is not node:
            node.replace(rewritten)
    return tree


def _fill(node: exp.Expr, params: Mapping[str, Any]) -> exp.Expr:
    if not isinstance(node, exp.Placeholder):
        return node
    if node.name not in params:
        raise BadValue(f"The query has ${node.name or '?'}, which was not given. Give it: wb.sql(query, name=value).")
    return literal_of(params[node.name])


def literal_of(value: Any) -> exp.Expr:
    """Return the literal of a value: text, number, truth, date, time or None.

    >>> literal_of(date(2026, 1, 31)).sql(dialect="postgres"), literal_of("O'Neill").sql(dialect="postgres")
    ("CAST('2026-01-31' AS DATE)", "'O''Neill'")
    """
    value = value.item() if hasattr(value, "item") and not isinstance(value, str) else value  # NumPy's scalars
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), "TIMESTAMP", dialect="duckdb")
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE", dialect="duckdb")
    if isinstance(value, str):
        return exp.Literal.string(value)
    if value is None or isinstance(value, bool | int | float | Decimal):
        return exp.convert(value)
    raise BadValue(f"A parameter of a query must be text, number, date or None, got {type(value).__name__}.")


def _store(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Table) or node.db.lower() != "store":
        return node
    table = exp.to_table(STORE + node.name.lower())
    for name, part in node.args.items():
        if name not in ("this", "db", "catalog"):
            table.set(name, part)
    return table if node.alias else exp.alias_(table, node.name, table=True, copy=False)


def _all(node: exp.Expr) -> exp.Expr:
    """Write `GROUP BY ALL` and `ORDER BY ALL` as the places of the columns."""
    if not isinstance(node, exp.Query):
        return node
    group, order = node.args.get("group"), node.args.get("order")
    every = order.expressions[0] if order and order.expressions[0].this.name.upper() == "ALL" else None
    grouped = group is not None and group.args.get("all")
    if (every or grouped) and node.is_star:
        raise BadValue("GROUP BY ALL and ORDER BY ALL need the columns by name, not a star.")
    if grouped:
        keys = [place for place, each in enumerate(node.selects, 1) if not _aggregates(each)]
        node.set("group", exp.Group(expressions=[exp.Literal.number(place) for place in keys]) if keys else None)
    if every:
        how = {name: every.args.get(name) for name in ("desc", "nulls_first")}
        places = [exp.Ordered(this=exp.Literal.number(place + 1), **how) for place in range(len(node.selects))]
        node.set("order", exp.Order(expressions=places))
    return node


def _aggregates(column: exp.Expr) -> bool:
    """Say whether a column holds an aggregate of its own query, other than that of a window."""
    return any(
        found.parent_select is column.parent_select
        and not (isinstance(found.parent, exp.Window) and found.parent.this is found)
        for found in column.find_all(exp.AggFunc)
    )


def _derived(node: exp.Expr, number: Iterator[int]) -> exp.Expr:
    if isinstance(node, exp.Subquery) and isinstance(node.parent, exp.From | exp.Join) and not node.alias:
        return exp.alias_(node, f"derived_{next(number)}", table=True, copy=False)
    return node


def _refuse(node: exp.Expr) -> exp.Expr:
    """Refuse what has a text on every engine and another meaning."""
    unit = node.args.get("unit") if isinstance(node, exp.DateDiff) else None
    if unit is not None and unit.name.upper() not in ("DAY", "DAYS"):
        raise BadValue(
            f"date_diff('{unit.name.lower()}') differs between engines: join the view calendar and count its periods."
        )
    if isinstance(node, exp.TimeToStr) and _FORMATS_OF_WEEKS.search(str(node.args.get("format"))):
        raise BadValue("Formats of weeks differ between engines: join the view calendar and take its column week.")
    if isinstance(node, exp.DayOfWeekIso | exp.DayOfWeek | exp.WeekOfYear | exp.Week):
        raise BadValue("Numbers of weeks and weekdays differ between engines: join the view calendar.")
    return node


def _ratio(node: exp.Expr) -> exp.Expr:
    """Divide as DuckDB does: never whole numbers, never decimals; by zero is missing."""
    if not isinstance(node, exp.Div):
        return node
    below = node.expression
    zero = not isinstance(below.unnest(), exp.Nullif) and not (below.is_number and float(below.name))
    if zero:
        below = exp.Nullif(this=below, expression=exp.Literal.number(0))
    return exp.Div(this=_double(node.this), expression=below, typed=False, safe=False)


def _mean(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Avg) and not (isinstance(node.this, exp.Cast) and node.this.is_type("double")):
        return exp.Avg(this=_double(node.this))
    return node


def _nothing(node: exp.Expr) -> exp.Expr:
    """Give a bare NULL in an aggregate a type: PostgreSQL cannot tell which sum is meant."""
    return exp.cast(node, "double") if isinstance(node, exp.Null) and isinstance(node.parent, exp.AggFunc) else node


def _double(node: exp.Expr) -> exp.Expr:
    return exp.cast(exp.Paren(this=node) if isinstance(node, exp.Binary) else node, "double")


def _pattern(node: exp.Expr) -> exp.Expr:
    """Take a backslash in a pattern as itself: elsewhere it would escape what follows."""
    if isinstance(node, exp.Like | exp.ILike) and node.expression.is_string and not isinstance(node.parent, exp.Escape):
        text = node.expression.name
        node.set("expression", exp.Literal.string(text.replace("\\", "\\\\")))
    return node


def _engine_own(node: exp.Expr, dialect: Dialect) -> exp.Expr:
    if dialect == "spark":
        unordered = isinstance(node, exp.Window) and not (node.args.get("order") or node.args.get("alias"))
        if unordered and isinstance(node.this, exp.RowNumber):
            node.set("order", exp.Order(expressions=[exp.Ordered(this=exp.Literal.number(1), nulls_first=False)]))
        if isinstance(node, exp.PercentileCont) and node.args.get("expression"):
            return exp.func("percentile", node.this, node.expression)
    elif isinstance(node, exp.Round) and node.args.get("decimals") and not node.this.is_type("decimal"):
        rounded = exp.Round(this=exp.cast(node.this, "decimal"), decimals=node.args["decimals"])
        return exp.cast(rounded, "double")
    return node


def _quoted(node: exp.Expr, dialect: Dialect) -> exp.Expr:
    """Quote every name, for each engine reserves other words; DuckDB's names have no case, PostgreSQL's are lower."""
    if isinstance(node, exp.Identifier) and not isinstance(node.parent, exp.DataType):
        name = node.name if node.quoted or dialect == "spark" else node.name.lower()
        return exp.to_identifier(name, quoted=True)
    return node
