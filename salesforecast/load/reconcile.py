"""What a file says about itself, and how unlike the one before it is: control totals and drift.

Nothing is refused here: an export whose total does not add up, or that suddenly has half the rows, may be right. It is
said, with the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salesforecast.engine import Engine, literal, quote
from salesforecast.load import clean
from salesforecast.load.mapping import Plan
from salesforecast.load.presets import normalise
from salesforecast.load.staging import TOTAL, Staged
from salesforecast.schema import TABLES

ROWS = AMOUNT = 0.5  # rows and sum of an import may be this much above or below those of the one before
NULLS = 0.2  # the share of empty cells of a column may rise by this much
SAME_COLUMNS = 0.6  # share of columns filled in both, below which two files are not of one kind
FEWEST_ROWS = 20  # below it, shares say little
MOST_CODES = 50  # a column with more different values is no list of codes
_SUMS = {"transactions": "amount", "deals": "amount", "targets": "value", "measurements": "value"}
_CODES = (
    "txn_type", "status", "channel", "region", "category", "currency", "campaign", "kind", "role", "team", "stage",
    "pipeline", "record_type", "lead_source", "deal_type", "forecast_category", "priority", "measure", "scope_type",
    "version", "field", "industry", "level", "purchase_stage",
)  # fmt: skip
_NUMERIC = ("money", "number", "integer")
_ONLY_FACTORS = ("unit_price", "discount", "tax_rate", "line_no", "weight", "fte")  # sums of these mean nothing


@dataclass(frozen=True)
class Control:
    """What a total row says of a column, and what the lines make that come nearest to it."""

    row: int
    name: str
    header: str
    said: float
    found: float
    agrees: bool

    def __str__(self) -> str:
        if self.agrees:
            return f"control total in row {self.row} agrees: {self.header} {self.said:,.10g}"
        return (
            f"control total {self.name} in row {self.row} does not add up: {self.header} says {self.said:,.10g}, the "
            f"lines make {self.found:,.10g} ({self.found - self.said:+,.10g})"
        )


@dataclass(frozen=True)
class Change:
    """How an import differs from the one before: `kind` rows, amount, nulls or codes; `codes` are the new ones."""

    kind: str
    column: str
    before: float
    now: float
    codes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "codes":
            more = f" and {len(self.codes) - 5} more" if len(self.codes) > 5 else ""
            return f"new in {self.column}: {', '.join(self.codes[:5])}{more}"
        if self.kind == "nulls":
            return (
                f"{self.column} is empty in {self.now:.0%} of the rows after {self.before:.0%} (limit {NULLS:.0%} more)"
            )
        word, limit = ("rows", ROWS) if self.kind == "rows" else ("the sum", AMOUNT)
        return (
            f"{word} {self.now:,.10g} after {self.before:,.10g} ({self.now / self.before - 1:+.0%}, limit {limit:.0%})"
        )


def control_totals(store: Engine, made: Plan, staged: Staged) -> list[Control]:
    """Compare the total rows of a file (合计, Total, 小计) with its lines, one by one and column by column.

    A total counts as right when it is the sum of all lines above it or of those since the total row before, up to the
    rounding of the lines. Lines that are refused are part of what the file adds up.
    """
    table = TABLES[made.table]
    columns = {
        name: f"c{list(staged.headers).index(header)}"
        for name, header in made.columns.items()
        if "." not in name and not header.startswith("=") and name not in _ONLY_FACTORS
        and table.column(name).kind in _NUMERIC
    }  # fmt: skip
    if not columns:
        return []
    numbers = clean.profile_numbers(store, staged.raw, {name: (source, "number") for name, source in columns.items()})
    values = {
        name: clean.number(quote(source), "number", plain=numbers[name].plain, european=numbers[name].european)
        for name, source in columns.items()
    }
    cells = ", ".join(clean.text(f"c{each}") for each in range(len(staged.headers)))
    first = f"lower(regexp_replace(coalesce({cells}), '[\\s\\x{{3000}}]', '', 'g'))"
    row = quote("row")
    read = ", ".join(f"{sql} AS n{number}" for number, sql in enumerate(values.values()))
    parts = []
    for number in range(len(values)):
        line = f"CASE WHEN NOT total THEN n{number} END"
        above = f"OVER (ORDER BY {row} ROWS UNBOUNDED PRECEDING)"
        since = f"OVER (PARTITION BY block ORDER BY {row} ROWS UNBOUNDED PRECEDING)"
        parts += [f"n{number}", f"sum({line}) {above}", f"sum({line}) {since}", f"count({line}) {above}"]
    sums = ", ".join(f"{part} AS v{number}" for number, part in enumerate(parts))
    rows = store.rows(
        f"WITH lines AS (SELECT {row}, {first} AS name, coalesce(regexp_full_match({first}, {literal(TOTAL)}), false) "
        f"AS total, {read} FROM {staged.raw}), "
        f"blocks AS (SELECT *, count(*) FILTER (total) OVER (ORDER BY {row} ROWS UNBOUNDED PRECEDING) - "
        f"CASE WHEN total THEN 1 ELSE 0 END AS block FROM lines), "
        f"sums AS (SELECT {row}, name, total, {sums} FROM blocks) "
        f"SELECT * EXCLUDE (total) FROM sums WHERE total ORDER BY {row}"
    )
    controls = []
    for place, name, *found in rows:
        for number, column in enumerate(values):
            said, above, since, lines = found[4 * number : 4 * number + 4]
            if said is not None and lines:
                near = min((each for each in (above, since) if each is not None), key=lambda each: abs(each - said))
                controls.append(Control(place, name, made.columns[column], said, near, _same(said, near, lines)))
    return controls


def _same(said: float, found: float, lines: int) -> bool:
    return abs(said - found) <= max(0.01, min(0.005 * lines, 0.0005 * abs(said)))


def profile(store: Engine, table: str, import_id: int) -> dict[str, Any]:
    """Return what an import looks like: rows, sum, share of empty cells per column, and the codes it uses."""
    names = TABLES[table].names
    mine = f"FROM store.{table} WHERE import_id = {import_id}"
    total = f"CAST(sum({_SUMS[table]}) AS DOUBLE)" if table in _SUMS else "CAST(NULL AS DOUBLE)"
    counts = ", ".join(f"count({quote(each)})" for each in names)
    rows, amount, *filled = store.rows(f"SELECT count(*), {total}, {counts} {mine}")[0]
    nulls = {name: round(1 - count / rows, 4) for name, count in zip(names, filled, strict=True)} if rows else {}
    codes = {}
    for name in _CODES:
        if name in names and nulls.get(name, 1) < 1:
            query = f"SELECT DISTINCT {quote(name)} AS v {mine} AND {quote(name)} IS NOT NULL LIMIT {MOST_CODES + 1}"
            values = sorted(str(row[0]) for row in store.rows(query))
            if len(values) <= MOST_CODES:
                codes[name] = values
    return {"rows": rows, "amount": amount, "nulls": nulls, "codes": codes}


def drift(store: Engine, table: str, source: str, import_id: int, now: Mapping[str, Any]) -> list[str]:
    """Say how an import differs from the last one like it of the same source and table; the limits are said too."""
    found = store.rows(
        "SELECT import_id, profile FROM store.imports WHERE table_name = $table AND source = $source "
        "AND import_id < $id AND profile IS NOT NULL AND rows_stored > 0 ORDER BY import_id DESC LIMIT 50",
        {"table": table, "source": source, "id": import_id},
    )
    earlier = ((number, json.loads(text)) for number, text in found)
    number, before = next(((number, each) for number, each in earlier if like(each, now)), (0, {}))
    return [f"unlike import {number}: {each}" for each in changes(before, now)] if before else []


def like(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Say whether two imports of a table are of one kind: orders and orders, most of the same columns filled.

    >>> like({"nulls": {"a": 0, "b": 0}, "codes": {}}, {"nulls": {"a": 0, "b": 0.5}, "codes": {}})
    True
    """
    for name in ("txn_type", "record_type", "kind", "field"):
        both = before["codes"].get(name), now["codes"].get(name)
        if all(both) and not set(both[0]) & set(both[1]):
            return False
    filled = [{name for name, share in each["nulls"].items() if share < 1} for each in (before, now)]
    return len(filled[0] & filled[1]) >= SAME_COLUMNS * len(filled[0] | filled[1])


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Compare the profiles of two imports; sizes and empty cells are compared from 20 rows on.

    >>> changes({"rows": 40, "nulls": {}, "codes": {}}, {"rows": 100, "nulls": {}, "codes": {}})
    [Change(kind='rows', column='', before=40, now=100, codes=())]
    """
    return [*_sizes(before, now), *_gaps(before, now), *_new_codes(before, now)]


def _sizes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    if before["rows"] < FEWEST_ROWS:
        return []
    return [
        Change(name, "", before[name], now[name])
        for name, limit in (("rows", ROWS), ("amount", AMOUNT))
        if before.get(name) and now.get(name) is not None and abs(now[name] - before[name]) > limit * abs(before[name])
    ]


def _gaps(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    if min(before["rows"], now["rows"]) < FEWEST_ROWS:
        return []
    return [
        Change("nulls", name, before["nulls"][name], share)
        for name, share in now["nulls"].items()
        if name in before["nulls"] and share - before["nulls"][name] > NULLS
    ]


def _new_codes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    found = []
    for name, values in now["codes"].items():
        known = {normalise(each) for each in before["codes"].get(name, ())}
        new = tuple(each for each in values if normalise(each) not in known)
        if known and new:
            found.append(Change("codes", name, len(known), len(known) + len(new), new))
    return found
