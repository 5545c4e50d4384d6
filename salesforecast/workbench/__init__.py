"""Opening a store: the as-of date, basis, currency, scope and calendar are settled here, once, for every analysis.

`open` lays views over the read-only store. What lies after the as-of date or outside the scope does not exist for
whoever asks through them; what was left out and why is counted in `Workbench.exclusions`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from salesforecast.calendar import Calendar, Day, Period, as_day
from salesforecast.engine import Reader, connect, is_address, quote
from salesforecast.errors import NoData, lookup
from salesforecast.schema import PROVENANCE, TABLES
from salesforecast.settings import Settings, load_settings, locate, settings_of
from salesforecast.workbench import views
from salesforecast.workbench.views import BASES, EARLIEST, SCOPES, SINCE

if TYPE_CHECKING:
    import pandas as pd

LANGUAGES = {"zh": "中文", "en": "English"}


@dataclass(frozen=True, eq=False)
class Workbench:
    """What every analysis receives: a store seen as of one day, in one basis, currency and scope. Read-only.

    Use it in a `with` block, or `close` it. `audience` is "analyst" (unmasked) or the reader of a published page.
    """

    engine: Reader = field(repr=False)
    settings: Settings = field(repr=False)
    calendar: Calendar
    as_of: date
    basis: str
    scope: Mapping[str, str]
    language: str
    audience: str

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the store; calling it twice does no harm."""
        self.engine.close()

    def table(self, name: str) -> pd.DataFrame:
        """Return a canonical table as it is visible: one row as in the schema, provenance columns included.

        Deals are in their current state. Raises `UnknownName`.
        """
        lookup(TABLES, name, "table")
        return self.engine.frame(f"SELECT * FROM {quote(name)}")

    def sql(self, query: str, **params: Any) -> pd.DataFrame:
        """Return the result of one SELECT; `$name` in the text is filled from the keyword of that name.

        It sees the 12 tables (as of the day, in scope), `sales`, `cash` and `calendar`. Raises `BadValue` for
        anything but one SELECT.
        """
        self.engine.check(query)
        return self.engine.frame(query, params)

    def has(self, name: str) -> bool:
        """Say whether a table has a visible row, or a column (`table.column`) a visible value that is not null.

        `sales` and `cash` are understood like tables. Raises `UnknownName`.
        """
        if name not in self._known:
            self._known[name] = self._look(name)
        return self._known[name]

    def require(self, *names: str) -> None:
        """Raise `NoData` that says what is missing and how to bring it in, unless `has` is true of every name."""
        missing = [name for name in names if not self.has(name)]
        if missing:
            raise NoData("; ".join(_how_to_bring(name, self) for name in missing) + ".")

    def names(self, table: str, key: str) -> dict[str, str]:
        """Return id → name of a master table, whatever the scope: a name is looked up, not analysed."""
        lookup(TABLES, table, "table")
        rows = self.engine.rows(
            f"SELECT {quote(key)}, name FROM store.{quote(table)} WHERE name IS NOT NULL ORDER BY ALL"
        )
        return {str(id): str(name) for id, name in rows}

    def finished(self, period: Period) -> bool:
        """Say whether no workday of the period is still to come at the as-of date.

        A month whose last day is a Sunday is finished on the Friday before.
        """
        if self.as_of >= period.end:
            return True
        return self.calendar.workdays(self.as_of + timedelta(days=1), period.end) == 0

    def members(self, kind: str) -> list[str]:
        """Return the ids of a scope type (`region`, `person`, …) that have lines in `sales`, in order.

        Raises `UnknownName` for a scope type that sales cannot be divided by.
        """
        column = quote(lookup(SCOPES, kind, "scope type"))
        return [row[0] for row in self.engine.rows(f"SELECT DISTINCT {column} AS id FROM sales ORDER BY id") if row[0]]

    def period(self, period: str | Period) -> Period:
        """Return the period of that name; a `Period` is passed through.

        Raises `BadValue` for a text that is no period and `NoData` for one that lies outside the data.
        """
        if isinstance(period, Period):
            return period
        parsed = self.calendar.parse(period)
        if self.has("sales"):
            # A part of the business may pause; all of it has no sales only where no data is loaded.
            _check_period(parsed, self.basis, self.bounds, self.as_of, partial=bool(self.scope))
        return parsed

    @cached_property
    def bounds(self) -> tuple[date, date]:
        """First and last day of `sales`. Raises `NoData` when it is empty."""
        first, last = self.engine.rows(views.span(self))[0]
        if first is None:
            raise NoData(f"No {self.basis} lines up to {self.as_of}{_scope_words(self.scope)}.")
        return first, last

    @cached_property
    def has_foreign_lines(self) -> bool:
        """Whether any line of the store is in another currency than the base."""
        other = "SELECT 1 FROM store.transactions WHERE currency <> $base LIMIT 1"
        return bool(self.engine.rows(other, {"base": self.settings.currency.base}))

    @cached_property
    def exclusions(self) -> pd.DataFrame:
        """What was left out: one row per table and reason.

        Columns: table, reason, rows, amount. Reasons of `transactions` (of the basis, in scope): void, pending,
        after_as_of, before_1990, no_currency_rate:CODE; each line has one, so that counted and excluded lines add up.
        `amount` is signed net in the base currency, for lines without a rate in their own; missing where it cannot
        be told. Other tables: rows after the as-of date.
        """
        return self.engine.frame(views.exclusions(self))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Codes of what a reader should know: `workdays_estimated:2027`, `no_currency_rate:USD`.

        Workdays are checked from the first day of `sales` to the end of the fiscal year of the as-of date.
        """
        first = self.bounds[0] if self.has("sales") else self.as_of
        years = self.calendar.estimated_years(first, self.calendar.period(self.as_of, "year").end)
        rates = [reason for reason in self.exclusions["reason"] if reason.startswith("no_currency_rate")]
        return (*(f"workdays_estimated:{year}" for year in years), *rates)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over the visible content of the 12 tables, the as-of date, basis and scope.

        Row order, column order and provenance do not matter. Each engine hashes in its own way: the same content in
        a DuckDB file and in a warehouse has two hashes, each of them stable.
        """
        digest = hashlib.sha256(json.dumps([str(self.as_of), self.basis, sorted(self.scope.items())]).encode())
        provenance = {each.name for each in PROVENANCE}
        for name, table in TABLES.items():
            extra = sorted(set(self.engine.columns(name)) - set(table.names) - provenance)
            columns = (*table.names, *extra)
            digest.update(json.dumps([name, extra, *self.engine.fingerprint(name, columns)]).encode())
        return digest.hexdigest()

    @cached_property
    def _known(self) -> dict[str, bool]:
        return {}

    def _look(self, name: str) -> bool:
        table, _, column = name.partition(".")
        lookup({**TABLES, "sales": None, "cash": None}, table, "table")
        condition = "true"
        if column:
            lookup(dict.fromkeys(self.engine.names(table)), column, f"column of {table}")
            condition = f"{quote(column)} IS NOT NULL"
        return bool(self.engine.rows(f"SELECT 1 FROM {quote(table)} WHERE {condition} LIMIT 1"))


def open(
    store: str | Path,
    *,
    as_of: Day | None = None,
    period: str | None = None,
    settings: Settings | str | Path | None = None,
    basis: str | None = None,
    scope: Mapping[str, str] | None = None,
    language: str | None = None,
    audience: str = "analyst",
) -> Workbench:
    """Open a store for reading, as of one day: a DuckDB file, or the address of a warehouse (see `warehouse`).

    `as_of` defaults to the earlier of the period's end and the last loaded business day of the basis; `settings` to
    `salesforecast.toml` beside the store, else in the working directory, else the defaults; `basis` and `language`
    to those of the settings, a basis that they do not name to the first of order, shipment, invoice, payment that has
    lines. A relative `store` is looked for in the working directory, then in its parents; nothing lies beside a
    warehouse. `scope` maps scope types to ids (`{"region": "华东"}`; `"*"` means all).

    Raises `StoreError`, `BadSettings`, `BadValue`, `UnknownName` for a scope that the data does not have, and
    `NoData` when the store has nothing of the basis or the period or as-of date lies outside the data.
    """
    address = is_address(store)
    store = store if address else locate(store)
    chosen = load_settings(settings) if address else settings_of(store, settings)
    language = language or chosen.language
    if basis:
        lookup(BASES, basis, "basis")
    lookup(LANGUAGES, language, "language")
    calendar = Calendar.of(chosen)
    wanted = calendar.parse(period) if period else None
    narrowed = {kind: id for kind, id in (scope or {}).items() if kind != "company" and id != "*"}
    for kind in scope or {}:
        lookup({**SCOPES, "company": ""}, kind, "scope type")
    engine = _reader(str(store)) if address else connect(store)
    try:
        basis = basis or company_basis(engine, chosen)
        day = _as_of(engine, basis, wanted, as_day(as_of) if as_of else None)
        wb = Workbench(engine, chosen, calendar, day, basis, MappingProxyType(narrowed), language, audience)
        views.create(wb)
    except BaseException:
        engine.close()
        raise
    return wb


def _reader(address: str) -> Reader:
    from salesforecast import warehouse  # loads sqlglot, which a file does not need

    return warehouse.connect(address)


def company_basis(engine: Reader, settings: Settings) -> str:
    """Return the basis a company reports by: the one its settings name, else the first of the four with lines."""
    if "basis" in settings.model_fields_set:
        return settings.basis
    kinds = {row[0] for row in engine.rows("SELECT DISTINCT txn_type FROM store.transactions")}
    return next((name for name, (adds, _) in BASES.items() if adds in kinds), settings.basis)


def _as_of(engine: Reader, basis: str, period: Period | None, as_of: date | None) -> date:
    """Return the as-of date, after checking that it and the period lie inside the data of the basis."""
    found = engine.rows(
        f"SELECT txn_type, min(date), max(date) FROM store.transactions "
        f"WHERE coalesce(status, 'valid') = 'valid' AND date >= {EARLIEST} GROUP BY ALL ORDER BY ALL"
    )
    loaded = [name for name, (adds, _) in BASES.items() if any(kind == adds for kind, *_ in found)]
    if basis not in loaded:
        if found:
            raise NoData(f"The store has no {basis} lines. Choose a basis that it has: {', '.join(loaded) or 'none'}.")
        last_day = as_of or (period.end if period else _last_day_without_sales(engine))
        if last_day is None:
            raise NoData(f"The store {engine.path} is empty; {engine.filling}")
        return last_day
    spans = [(first, last) for kind, first, last in found if kind in BASES[basis]]
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    day = as_of or (min(period.end, last) if period else last)
    if period:
        _check_period(period, basis, (first, last), as_of or last)
    if day < first:
        raise NoData(f"No {basis} lines up to {day}: the data runs from {first} to {last}.")
    return day


def _check_period(period: Period, basis: str, bounds: tuple[date, date], as_of: date, partial: bool = False) -> None:
    first, last = bounds
    if period.start > as_of and period.start <= last:
        raise NoData(f"{period} begins after the as-of date {as_of}: choose an earlier period or a later as_of.")
    if period.end < first or period.start > (max(last, as_of) if partial else last):
        raise NoData(f"No {basis} lines in {period}: the data runs from {first} to {last}.")


def _last_day_without_sales(engine: Reader) -> date | None:
    """Return the last day that a store without transactions knows of."""
    days = " UNION ALL ".join(
        f"SELECT max({quote(column)})::DATE AS day FROM store.{table}" for table, column in SINCE.items()
    )
    return engine.rows(f"SELECT max(day) FROM ({days}) AS days")[0][0]


def _scope_words(scope: Mapping[str, str]) -> str:
    return "".join(f", {kind} {id}" for kind, id in scope.items())


def _how_to_bring(name: str, wb: Workbench) -> str:
    table, _, column = ("people.team" if name == "sales.team" else name).partition(".")
    where = _scope_words(wb.scope)
    if table in ("sales", "cash") and not wb.has(table):
        return f"Needs {wb.basis if table == 'sales' else 'payment'} lines in table transactions{where}"
    table = "transactions" if table in ("sales", "cash") else table
    if not column or not wb.has(table):
        return f"Needs table {table} ({TABLES[table].zh}){where}; {wb.engine.filling}"
    return (
        f"Needs {table}.{column}, which is empty{where}; map it when importing: "
        f'mapping={{"{table}": {{"{column}": "YOUR COLUMN"}}}}'
    )
