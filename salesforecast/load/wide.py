"""Wide tables made long: targets as person × months, budgets by quarter, KPI matrices; subtotals are control totals.

A table is wide when at least two of its headers name periods (`1月`, `2026-01`, `Q1`, `H1`, `全年`) or, in a file about
targets, several measures. Each cell becomes a row of `targets` or `measurements`. The finest periods are kept; coarser
columns, 合计 columns and subtotal rows that repeat them are control totals: never counted twice, compared, and reported
where they do not match. The year is looked for in headers, the row above them, a year column, title rows, and the
names of sheet and file. Fiscal quarters and years follow the company's fiscal year.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from salesforecast.engine import Engine, quote
from salesforecast.errors import AmbiguousMapping, BadInput
from salesforecast.load.clean import scale_of
from salesforecast.load.controls import Controls, is_total
from salesforecast.load.files import Source
from salesforecast.load.layouts import (
    TARGET,
    Column,
    Table,
    is_dated,
    measure_of,
    read_layout,
    role_of,
    rows_of,
    value_of,
)
from salesforecast.load.periods import GRAINS, Span, covered, span_of, start_of, year_in
from salesforecast.load.presets import Preset
from salesforecast.load.recognise import SCOPES, listed, match_table, recognise
from salesforecast.load.spelling import normalise, unit_in_title
from salesforecast.load.transpose import names_by_periods

_MONEY = (
    "revenue", "receipts", "gross_margin", "gm", "expense_sales", "expense_marketing", "expense_people", "contingency",
    "market_size",
)  # fmt: skip
MOST_ROWS = 20_000  # a plan is small; what is larger is no plan
_BUDGET = re.compile(r"预算|budget")


def lengthen(
    engine: Engine, source: Source, aliases: Preset, first_month: int = 1, mapping: Mapping[str, Any] | None = None
) -> list[Source]:
    """Return the source itself, or the long sources (targets, actual values) that a wide table becomes.

    `first_month` starts the fiscal year. A long source has the columns period_start, grain, `target value` or `actual
    value`, and scope_type, scope_id, measure where the table tells them; its row numbers are row × 1000 + column of the
    file. Raises `AmbiguousMapping` or `BadInput`, with what to write, when year or scope are not told.
    """
    if source.rows > MOST_ROWS or source.streamed:
        return [source]
    source = names_by_periods(engine, source, aliases)
    table = read_layout(engine, source, aliases, first_month)
    if table is None:
        return [_with_fiscal_quarters(engine, source, aliases, first_month)]
    return _Long(engine, table, aliases, first_month, mapping or {}).sources()


# what it becomes


@dataclass(frozen=True)
class _Cell:
    """One value of the long table."""

    row: int
    place: int
    start: str
    grain: str
    months: frozenset[int]
    text: str
    others: tuple[str, ...]


class _Long:
    """Makes the long sources of one wide table."""

    def __init__(
        self, engine: Engine, table: Table, aliases: Preset, first_month: int, mapping: Mapping[str, Any]
    ) -> None:
        self.engine, self.table, self.aliases, self.first_month = engine, table, aliases, first_month
        self.source = table.source
        # The measures under merged periods have the same names; that is no news.
        self.notes = dict.fromkeys(each for each in table.source.notes if "columns are called" not in each)
        self.said = _entry_for(table.source, mapping)
        self.year, self.fiscal = year_in(table.title)
        used = {column.place for column in table.columns}
        names = [table.names[place] or header if table.names else header
                 for place, header in enumerate(self.source.headers)]  # fmt: skip
        self.sides = [
            (place, header) for place, header in enumerate(names)
            if place not in used and header not in table.ratios and any(cells[place] for _, cells in table.rows)
        ]  # fmt: skip
        found, _ = match_table([header for _, header in self.sides], "targets", aliases, hint=self.source.words)
        self.known = {column: next(place for place, each in self.sides if each == header)
                      for column, header in found.items()}  # fmt: skip
        if not any(key.startswith("scope") for key in self.known):
            self.known |= self._unnamed_side()

    def sources(self) -> list[Source]:
        """Return the targets and the actual values, each as a long source."""
        speaks = role_of(self.table.title) if any(self.table.columns) else None
        made: list[Source] = []
        for actual in (False, True):
            columns = [each for each in self.table.columns if each.actual is actual]
            if columns:
                table = self._canonical(actual, columns, speaks)
                made.append(self._long(table, columns, number=len(made)))
        if self.table.ratios:
            self.notes[f"not read because they can be computed: {listed(self.table.ratios)}"] = None
        return [replace(each, notes=tuple(self.notes)) for each in made]

    def _canonical(self, actual: bool, columns: list[Column], speaks: str | None) -> str:
        """Say whether the values are targets or measurements."""
        if self.said:
            return self.said[0]
        if actual:
            return "measurements"
        named = any(TARGET.search(each.header.lower()) for each in columns)
        if named or speaks in ("target", "ratio") or any(each.actual for each in self.table.columns):
            return "targets"
        if speaks == "actual":
            return "measurements"
        name = self.source.name
        raise AmbiguousMapping(
            f"{name} is a table of periods, and nothing says whether they are targets or results. Write "
            f'{{"targets": {{"from": "{name}"}}}} or {{"measurements": {{"from": "{name}", "measure": "=revenue"}}}}.'
        )

    def _unnamed_side(self) -> dict[str, int]:
        """Take a first column without a known header for the measure, or for the scope when its values are told."""
        places = [place for place, _ in self.sides if place not in self.known.values()]
        codes = self.aliases.codes("targets", "measure")
        for place in places:
            values = {cells[place] for _, cells in self.table.rows if cells[place] and not is_total(cells[place])}
            if (
                "measure" not in self.known
                and values
                and all(
                    measure_of(each, self.aliases) in codes.values() and measure_of(each, self.aliases)
                    for each in values
                )
            ):
                return {"measure": place}
        return {}

    def _long(self, table: str, columns: list[Column], number: int) -> Source:
        sides = tuple(place for place, _ in self.sides)
        details, rows = Controls(self.table, sides, self._months_of, self.notes).details(columns)
        cells = [cell for row, cell_texts in rows for cell in self._cells(row, cell_texts, details)]
        if not cells:
            raise BadInput(f"{self.source.name} has periods but no values. Export it again, or leave the file out.")
        extra = self._extras(table, columns)
        units = {each.place: self._unit(each) for each in columns}
        same = len(set(units.values())) == 1
        shown = next(iter(units.values())) if same else None
        value = ("actual value" if table == "measurements" else "target value") + (f"({shown})" if shown else "")
        headers = (*[name for name, _ in extra], "grain", "period_start", value)
        records = [
            (
                cell.row * 1000 + cell.place + 1,
                *(read(cell) for _, read in extra),
                cell.grain,
                cell.start,
                cell.text if same else self._scaled(cell.text, units[cell.place]),
            )
            for cell in cells
        ]
        relation = f"{self.source.relation}_long{number}"
        _store(self.engine, relation, records, len(headers))
        self.notes[
            f"a table of {len(columns)} columns of values made long: row 5003 is row 5, column 3 of the file"
        ] = None
        sheet = (
            f"{self.source.sheet or ''}{' ' if self.source.sheet else ''}{table}" if self._both() else self.source.sheet
        )
        lost = self.source.ragged if number == 0 else 0
        if lost:
            self.engine.execute(
                f"CREATE OR REPLACE TEMP TABLE {relation}_ragged AS SELECT * FROM {self.source.relation}_ragged"
            )
        footers = self.source.footers if number == 0 else 0
        return replace(
            self.source, headers=headers, relation=relation, rows=len(records) + lost + footers, ragged=lost,
            footers=footers, sheet=sheet, tidy=frozenset(), blank_rows=self.source.blank_rows if number == 0 else 0,
        )  # fmt: skip

    def _unit(self, column: Column) -> str | None:
        """Return the unit of a column: its own, else that of the title where the values are money."""
        if column.unit:
            return column.unit
        money = column.measure is None or column.measure in _MONEY
        return unit_in_title(self.table.title) if money else None

    def _scaled(self, text: str, of: str | None) -> str:
        """Return a value in units of one, where the columns differ in their units."""
        scale, number = scale_of(of), value_of(text)
        if scale is None or scale == 1 or number is None:
            return text
        self.notes[f"columns in {of} multiplied by {scale:,.0f}"] = None
        return repr(number * scale)

    def _both(self) -> bool:
        return len({each.actual for each in self.table.columns}) == 2

    def _extras(self, table: str, columns: list[Column]) -> list[tuple[str, Any]]:
        """Return the columns beside period and value: name and how to read it from a cell."""
        sides = [place for place, _ in self.sides]

        def side(place: int) -> Any:
            position = sides.index(place)
            return lambda cell: cell.others[position]

        by_place = {each.place: each for each in columns}
        extra: list[tuple[str, Any]] = []
        taken: set[int] = set()
        given = self.said[1] if self.said else {}
        scope = next((each for each in SCOPES if f"scope.{each}" in self.known), None)
        if scope and "scope_id" not in given:
            place = self.known[f"scope.{scope}"]
            extra += [("scope_type", lambda _: scope), ("scope_id", side(place))]
            taken.add(place)
        elif "scope_id" not in self.known and "scope_id" not in given:
            self._refuse_without_scope(table)
        if any(each.measure for each in columns):
            extra.append(("measure", lambda cell: by_place[cell.place].measure or ""))
        elif "measure" in self.known:
            place = self.known["measure"]
            named = side(place)
            extra.append(("measure", lambda cell: measure_of(named(cell), self.aliases) or named(cell)))
            taken.add(place)
        elif "measure" not in given:
            measure = next((code for word, code in sorted(self.aliases.codes("targets", "measure").items(),
                            key=lambda each: -len(each[0])) if len(word) > 1 and word in normalise(self.table.title)),
                           "revenue")  # fmt: skip
            extra.append(("measure", lambda _: measure))
            self.notes[f"measure: {measure}, by the title or by default"] = None
        if table == "targets" and "kind" not in self.known and _BUDGET.search(self.table.title.lower()):
            extra.append(("kind", lambda _: "budget"))
        skipped = {self.known[each] for each in ("period_start", "grain", "value") if each in self.known}
        for place, header in self.sides:
            if place not in taken | skipped:
                extra.append((header, side(place)))
        return extra

    def _refuse_without_scope(self, table: str) -> None:
        named = [header for place, header in self.sides if header and place not in self.known.values()]
        if not named:
            return
        name = self.source.name
        raise AmbiguousMapping(
            f'{name}: nothing says what the rows are of. Write {{"{table}": {{"from": "{name}", '
            f'"scope_type": "=person", "scope_id": "{named[0]}"}}}}, with team, region, product, … for person. '
            f"Columns beside the periods: {listed(named)}."
        )

    # periods

    def _cells(self, row: int, texts: list[str], columns: list[Column]) -> Iterable[_Cell]:
        others = tuple(texts[place] for place, _ in self.sides)
        for column in columns:
            text = texts[column.place]
            if text and text not in ("-", "--", "—", "/"):
                for start, grain, months, part in self._periods(column, texts, text):
                    yield _Cell(row, column.place, start, grain, months, part, others)

    def _periods(self, column: Column, texts: list[str], text: str) -> Iterable[tuple[str, str, frozenset[int], str]]:
        span = column.span
        if span.grain == "row":
            span = self._row_period(texts)
        start = self._start(span, texts)
        months = covered(start, span.grain)
        if span.grain != "half":
            yield start.isoformat(), span.grain, months, text
            return
        number = value_of(text)
        self.notes["half-years are stored as two equal quarters: the store knows no half-years"] = None
        for quarter in (0, 1):
            first = min(months) + 3 * quarter
            day = f"{first // 12:04d}-{first % 12 + 1:02d}-01"
            yield day, "quarter", frozenset(range(first, first + 3)), text if number is None else repr(number / 2)

    def _row_period(self, texts: list[str]) -> Span:
        """Return the period of a row of a matrix: its period column, else the year of the title."""
        if "period_start" in self.known:
            text = texts[self.known["period_start"]]
            span = span_of(text) or (Span("month", int(text)) if re.fullmatch(r"0?[1-9]|1[0-2]", text) else None)
            if is_dated(span) and span:
                return span
            raise BadInput(
                f"{self.source.name}: {text!r} is no month, quarter or year. Write it as 2026-01, 2026-Q1 or 2026."
            )
        titled = span_of(self.table.title)
        return titled if is_dated(titled) and titled else Span("year", year=self.year)

    def _start(self, span: Span, texts: list[str]) -> date:
        fiscal = self._is_fiscal(span)
        year = span.year
        if year is None and "period_start" in self.known and span.grain != "year":
            told, named = year_in(texts[self.known["period_start"]])
            year, fiscal = told, fiscal or named
        if year is None:
            year = self.year
        if year is None:
            raise BadInput(
                f"{self.source.name}: {span.grain} {span.number} of which year? Write the year in the headers "
                "(2026年1月), in the name of the file or the sheet, or in a column 年份."
            )
        if fiscal:
            self.notes[
                f"quarters and years are fiscal, from month {self.first_month} (settings: fiscal.year_start_month); "
                f"{year} is the fiscal year that ends in {year}"
            ] = None
        elif span.year is None and span.grain == "month" and (first := self._first_month()) > 1:
            self.notes[f"months start in month {first}: those before it belong to the year after {year}"] = None
        return self._start_in(span, year, fiscal)

    def _start_in(self, span: Span, year: int, fiscal: bool) -> date:
        """Return the first day of a period of a known year."""
        if span.year is None and span.grain == "month" and not fiscal:
            year += span.number < self._first_month()
        return start_of(span.grain, span.number, year, self.first_month, fiscal=fiscal)

    def _months_of(self, column: Column) -> frozenset[int]:
        """Return the months of a column, in a year of its own where only the rows tell the year."""
        span = column.span
        return covered(self._start_in(span, span.year or self.year or 2000, self._is_fiscal(span)), span.grain)

    def _is_fiscal(self, span: Span) -> bool:
        told = span.grain != "month" or span.fiscal or (span.year is None and self.fiscal)
        return self.first_month > 1 and told

    def _first_month(self) -> int:
        """Return the month that the columns start with when they run over the turn of the year, else 1."""
        months = [each.span.number for each in self.table.columns if each.span.grain == "month" and not each.span.year]
        falls = [place for place in range(1, len(months)) if months[place] < months[place - 1]]
        return months[0] if len(falls) == 1 and len(set(months)) == len(months) else 1

    # control totals


def _entry_for(source: Source, mapping: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """Return the table and the entry of a mapping that names this source."""
    for table in ("targets", "measurements"):
        entries = mapping.get(table, [])
        for entry in [entries] if isinstance(entries, Mapping) else entries:
            wanted = entry.get("from")
            names = [wanted] if isinstance(wanted, str) else list(wanted or ())
            if {source.name, source.title, source.stem, source.sheet} & set(names):
                return table, entry
    return None


def _store(engine: Engine, relation: str, records: list[tuple[Any, ...]], width: int) -> None:
    import pandas as pd

    names = ["row", *(f"c{place}" for place in range(width))]
    engine.register("wide_cells", pd.DataFrame(records, columns=names))
    cells = ", ".join(f"CAST(c{place} AS VARCHAR) AS c{place}" for place in range(width))
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT CAST({quote('row')} AS BIGINT) AS {quote('row')}, {cells} "
        "FROM wide_cells"
    )


def _with_fiscal_quarters(engine: Engine, source: Source, aliases: Preset, first_month: int) -> Source:
    """Return a long table of targets whose quarters and years are read as the fiscal ones they are."""
    match = recognise(source, aliases)
    if match is None or match.missing or match.table not in ("targets", "measurements", "forecasts"):
        return source
    header = match.columns.get("period_start", "")
    if header not in source.headers:
        return source
    place = source.headers.index(header)
    rows = rows_of(engine, source)
    spans = {text: span_of(text) for text in {cells[place] for _, cells in rows}}
    fiscal = {text: span for text, span in spans.items()
              if span and span.year and span.grain in ("quarter", "year") and not span.rest
              and (first_month != 1 or not text[:1].isdigit())}  # fmt: skip
    if not fiscal:
        return source
    has_grain = match.columns.get("grain")
    records = []
    for row, cells in rows:
        span = fiscal.get(cells[place])
        cells = list(cells)
        if span and span.year:
            cells[place] = start_of(span.grain, span.number, span.year, first_month).isoformat()
        known = spans.get(cells[place], span)
        grain = span.grain if span else known.grain if known and known.grain in GRAINS else ""
        records.append((row, *cells, *([] if has_grain else [grain])))
    headers = source.headers if has_grain else (*source.headers, "grain")
    relation = f"{source.relation}_fiscal"
    _store(engine, relation, records, len(headers))
    if source.ragged:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {relation}_ragged AS SELECT * FROM {source.relation}_ragged")
    note = (
        f"quarters and years are fiscal, from month {first_month} (settings: fiscal.year_start_month), named after the "
        "year they end in"
    )
    notes = (*source.notes, note) if first_month != 1 else source.notes
    return replace(source, headers=headers, relation=relation, tidy=frozenset(), notes=notes)
