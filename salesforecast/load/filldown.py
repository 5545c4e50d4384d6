"""Orders over several rows: what stands only on their first line, or in a heading above them, goes to every line."""

from __future__ import annotations

import re
from dataclasses import replace

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.files import Source
from salesforecast.load.layouts import rows_above
from salesforecast.load.presets import Preset
from salesforecast.load.recognise import match_table
from salesforecast.schema import TABLES

MOST_ROWS = 500_000
_ABOUT = (
    ("Customer", r"customer|client|客户|购货|往来单位"),
    ("Product", r"product|item|产品|商品|存货|物料"),
    ("Sales rep", r"\brep\b|salesperson|sales person|业务员|销售员|职员"),
    ("Region", r"region|territory|区域|大区"),
)
_LINE = ("product_id", "product.name", "quantity", "unit_price", "amount")
_NUMBERS = ("money", "number", "integer", "share")


def fill_down(engine: Engine, source: Source, aliases: Preset) -> Source:
    """Return a source in which every line of an order says what the file says once for the order.

    Blank cells are filled when a whole group of columns with the id of the order, or its date, is blank on all lines
    but the first, and these lines have a product, quantity or amount. Amounts are never filled: the total of an order
    counts once. Rows with one cell above lines whose first cell is blank (`Acme Corp`) become that first column.
    """
    if not 1 < source.rows <= MOST_ROWS:
        return source
    source = _headings(engine, source)
    columns, _ = match_table(source.headers, "transactions", aliases, hint=source.words)
    lines = [header for name, header in columns.items() if name in _LINE]
    key = next((columns[name] for name in ("order_id", "date") if name in columns), None)
    if key is None or not lines:
        return source
    once = [f"c{source.headers.index(columns[name])}" for name in ("order_id", "date") if name in columns]
    blank = " OR ".join(f"trim(coalesce({each}, '')) = ''" for each in once)
    if not engine.rows(f"SELECT count(*) FROM {quote(source.relation)} WHERE {blank}")[0][0]:
        return source
    table = TABLES["transactions"]
    numeric = {
        header for name, header in columns.items()
        if "." not in name and table.column(name).kind in _NUMBERS and name != "line_no"
    }  # fmt: skip
    cells = {header: f"nullif(trim(c{place}), '')" for place, header in enumerate(source.headers)}
    first_cell = f"coalesce({', '.join(cells.values())})"
    line = " OR ".join(f"{cells[each]} IS NOT NULL" for each in lines)
    order = f"last_value({cells[key]} IGNORE NULLS) OVER (ORDER BY {quote('row')})"
    marked = f"SELECT *, ({line}) AND NOT ({_total(first_cell)}) AS line, {order} AS k FROM {quote(source.relation)}"
    numbered = (
        f"SELECT *, row_number() OVER (PARTITION BY k, line ORDER BY {quote('row')}) AS n FROM ({marked}) WHERE line"
    )
    others = [header for header in source.headers if header not in numeric]
    counts = ", ".join(
        f"count({cells[each]}) FILTER (n > 1), count({cells[each]}) FILTER (n = 1), "
        f"count(try_cast(replace({cells[each]}, ',', '') AS DOUBLE)), count({cells[each]})"
        for each in others
    )
    later, *found = engine.rows(f"SELECT count(*) FILTER (n > 1), {counts} FROM ({numbered})")[0]
    known = set(columns.values())
    filled = [
        header for place, header in enumerate(others)
        if found[4 * place] == 0 and found[4 * place + 1] > 0
        and (header in known or found[4 * place + 2] < found[4 * place + 3])
    ]  # fmt: skip
    if not later or not {columns.get("date"), columns.get("order_id")} & set(filled):
        return source
    over = f"OVER (PARTITION BY k, line ORDER BY {quote('row')})"
    chosen = ", ".join(
        f"CASE WHEN line THEN last_value({cells[header]} IGNORE NULLS) {over} ELSE c{place} END AS c{place}"
        if header in filled else f"c{place}"
        for place, header in enumerate(source.headers)
    )  # fmt: skip
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {quote(source.relation + '_filled')} AS SELECT {quote('row')}, {chosen} "
        f"FROM ({marked}) ORDER BY {quote('row')}"
    )
    note = f"{later:,} lines take {', '.join(filled)} from the first line of their order"
    return replace(source, relation=f"{source.relation}_filled", notes=(*source.notes, note), tidy=frozenset())


def _headings(engine: Engine, source: Source) -> Source:
    """Make a column of the rows that only name a group of lines below them."""
    width = len(source.headers)
    if width < 4:
        return source
    first = f"SELECT count(*) FROM {quote(source.relation)} WHERE trim(coalesce(c0, '')) = ''"
    if not engine.rows(first)[0][0]:
        return source
    row = quote("row")
    blank = [f"(c{place} IS NULL OR trim(c{place}) = '')" for place in range(width)]
    alone = f"NOT {blank[0]} AND {' AND '.join(blank[1:])}"
    headings, lines, other = engine.rows(
        f"SELECT count(*) FILTER ({alone}), count(*) FILTER ({blank[0]}), "
        f"count(*) FILTER (NOT {blank[0]} AND NOT ({alone}) AND NOT {_total('c0')}) FROM {quote(source.relation)}"
    )[0]
    if headings < 2 or lines < headings or other:
        return source
    relation = f"{source.relation}_grouped"
    kept = (
        f"SELECT *, {alone} AS heading, last_value(CASE WHEN {alone} THEN c0 END IGNORE NULLS) "
        f"OVER (ORDER BY {row}) AS g FROM {quote(source.relation)}"
    )
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {quote(relation)} AS SELECT * EXCLUDE (heading, g) REPLACE (trim(g) AS c0) "
        f"FROM ({kept}) WHERE NOT heading AND {blank[0]} ORDER BY {row}"
    )
    gone = source.rows - source.ragged - source.footers - engine.rows(f"SELECT count(*) FROM {quote(relation)}")[0][0]
    said = " ".join(
        [source.headers[0], source.words, *(cell for above in rows_above(source) for cell in above)]
    ).lower()
    name = source.headers[0]
    if re.fullmatch(r"column \d+", name):
        name = next((each for each, words in _ABOUT if re.search(words, said) and each not in source.headers), name)
    note = f"{gone:,} headings and totals of groups left out; lines take {name} from the heading above them"
    return replace(
        source, relation=relation, headers=(name, *source.headers[1:]), footers=source.footers + gone,
        notes=(*source.notes, note), tidy=frozenset(),
    )  # fmt: skip


def _total(cell: str) -> str:
    """Return SQL that is true for a cell that begins a row of totals."""
    return f"regexp_matches(lower(trim(coalesce({cell}, ''))), {literal(_TOTALS)})"


_TOTALS = r"^(合\s*计|总\s*计|小\s*计|累计|本页|(grand |sub)?total\b|sum\b|gesamt|summe|somme|suma\b)"
