"""Dated exports of deals: the day of an export, its snapshot in the store, older exports that come late.

The day is said by a column (`row.exported_on`), by the call, or by the name of file, sheet or folder, in this order.
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import TYPE_CHECKING

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import BadInput, BadValue
from salesforecast.load import clean
from salesforecast.load.mapping import Plan
from salesforecast.load.staging import Staged

if TYPE_CHECKING:
    from salesforecast.load.ledger import Keeper

EXPORTED_ON = "row.exported_on"
FIELDS = ("stage", "status", "amount", "expected_close", "probability", "forecast_category", "owner_id")
_SNAPSHOT = ("deal_id", "record_type", *FIELDS, "created_at", "stage_entered_at")
_YEAR = r"(?<!\d)((?:19|20)\d\d)"
_DATES = (
    _YEAR + r"[-_. /年](0?[1-9]|1[0-2])[-_. /月](0?[1-9]|[12]\d|3[01])(?!\d)",
    _YEAR + r"(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=(?:\d{4}(?:\d\d)?)?(?!\d))",  # a time of day may follow
)
_MONTHS = _YEAR + r"(?:[-_. /年](0?[1-9]|1[0-2])|(0[1-9]|1[0-2]))月?(?!\d)"
_WORD_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}


def date_in(*names: str) -> date | None:
    """Return the date that a name of a file, sheet or folder holds, the first name that has one; of two the later.

    A month stands for its last day. Dates that could be read in two ways are not read.

    >>> date_in("deals_20261031.csv"), date_in("商机2026年10月.xlsx"), date_in("Pipeline 2026-10-05T0930", "2025")
    (datetime.date(2026, 10, 31), datetime.date(2026, 10, 31), datetime.date(2026, 10, 5))
    >>> date_in("deals 31-Oct-2026.csv"), date_in("deals.csv"), date_in("order 2026310155.csv")
    (datetime.date(2026, 10, 31), None, None)
    """
    for name in names:
        for found in (_days(name), _months(name)):
            if found:
                return max(found)
    return None


def _days(name: str) -> list[date]:
    found = [(int(year), int(month), int(day)) for pattern in _DATES for year, month, day in re.findall(pattern, name)]
    words = re.findall(r"(?<!\d)(\d{1,2})[-_. ]?([A-Za-z]{3})[a-z]*[-_. ,]*(\d{4})(?!\d)", name)
    found += [(int(year), _WORD_MONTHS.get(month.lower(), 0), int(day)) for day, month, year in words]
    words = re.findall(r"([A-Za-z]{3})[a-z]*[-_. ]?(\d{1,2})[-_. ,]+(\d{4})(?!\d)", name)
    found += [(int(year), _WORD_MONTHS.get(month.lower(), 0), int(day)) for month, day, year in words]
    ends = re.findall(r"(?<!\d)(\d{1,2})[-_.](\d{1,2})[-_.](\d{4})(?!\d)", name)
    for first, second, year in ((int(a), int(b), int(y)) for a, b, y in ends):
        if first > 12 >= second:
            found.append((year, second, first))
        elif second > 12 >= first or first == second:
            found.append((year, first, second))
    return [each for each in map(_day, found) if each]


def _months(name: str) -> list[date]:
    found = [(int(year), int(one or other)) for year, one, other in re.findall(_MONTHS, name)]
    return [date(year, month, calendar.monthrange(year, month)[1]) for year, month in found]


def _day(parts: tuple[int, int, int]) -> date | None:
    try:
        return date(*parts)
    except ValueError:
        return None


def exported(store: Engine, made: Plan, staged: Staged, given: date | None) -> str | None:
    """Return SQL for the day on which the rows of a staged export of deals were exported, or None when nobody says.

    Adds to the notes where the date comes from. Raises `BadInput` when the column cannot be read as dates.
    """
    if EXPORTED_ON in made.columns:
        header = made.columns[EXPORTED_ON]
        dates = clean.profile_dates(
            store, staged.relation, EXPORTED_ON, label=f"{made.source.name}, column {header!r}",
            order=made.options.get("date_format"),
        )  # fmt: skip
        read = f"CAST({clean.date(quote(EXPORTED_ON), dates)} AS DATE)"
        lost = store.rows(f"SELECT count(*) FROM {staged.good} AND {read} IS NULL")[0][0]
        if lost:
            raise BadInput(
                f"{made.source.name}: {lost:,} rows have no date of export in {header!r}. Fill them, or leave the "
                f'column out with {EXPORTED_ON} = "" in the mapping of deals.'
            )
        staged.notes.append(f"date of the export from {header.removeprefix('=')}")
        return read
    if EXPORTED_ON in made.left_out:
        return None
    day, word = given, "the call"
    if day is None:
        day, word = date_in(made.source.stem, made.source.sheet or "", made.source.path.parent.name), "the file's name"
    if day is None:
        return None
    staged.notes.append(f"exported on {day} as {word} says")
    return f"DATE '{day}'"


def parse_day(text: str | date | None) -> date | None:
    """Return the day given by a call; raises `BadValue` when it is none.

    >>> parse_day("2026-10-31")
    datetime.date(2026, 10, 31)
    """
    if text is None or isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadValue(f"exported_on must be a day such as 2026-10-31, found {text!r}.") from None


def snapshot(store: Engine, staged: Staged, exported_on: str, import_id: int) -> int:
    """Keep the deals of a dated export for comparison; returns how many older copies of a deal were set aside.

    A file can hold several exports, one below the other: the newest row of a deal is its current state, the others are
    history only.
    """
    columns = [name for name in _SNAPSHOT if name in staged.columns]
    names = ", ".join(quote(each) for each in columns)
    older = f"{staged.relation}_older"
    store.execute(
        f"INSERT INTO store.deal_snapshots (import_id, source, exported_on, source_row, {names}) "
        f"SELECT {import_id}, {literal(staged.source)}, {exported_on}, {quote('row')}, {names} FROM {staged.good} "
        f"QUALIFY row_number() OVER (PARTITION BY deal_id, {exported_on} ORDER BY {quote('row')}) = 1"
    )
    days = store.rows(f"SELECT count(DISTINCT {exported_on}) FROM {staged.good}")[0][0]
    if days < 2:
        return 0
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {older} AS SELECT {quote('row')} FROM {staged.good} "
        f"QUALIFY {exported_on} < max({exported_on}) OVER (PARTITION BY deal_id)"
    )
    count = int(store.rows(f"SELECT count(*) FROM {older}")[0][0])
    store.execute(
        f"UPDATE {staged.relation} SET total = true WHERE {quote('row')} IN (SELECT {quote('row')} FROM {older})"
    )
    staged.notes.append(f"{days} exports in one file: {count:,} rows of earlier ones are history")
    return count


def shelve_older(store: Engine, keeper: Keeper, source: str, import_id: int) -> int:
    """Put aside the rows of an export that is older than what is stored of the same deals; returns how many.

    They lie beneath the rows of the next newer export, and come back when that is taken back.
    """
    newer = (
        "SELECT m.deal_id, arg_min(n.import_id, (n.exported_on, -n.import_id)) AS by FROM store.deal_snapshots AS m "
        "JOIN store.deal_snapshots AS n ON n.deal_id = m.deal_id AND n.source = m.source "
        f"AND n.exported_on > m.exported_on AND n.import_id <> m.import_id WHERE m.import_id = {import_id} "
        f"AND m.source = {literal(source)} AND m.exported_on = (SELECT max(exported_on) FROM store.deal_snapshots AS l "
        "WHERE l.import_id = m.import_id AND l.deal_id = m.deal_id) GROUP BY 1"
    )
    mine = f"import_id = {import_id} AND deal_id IN (SELECT deal_id FROM shelved)"
    store.execute(f"CREATE OR REPLACE TEMP TABLE shelved AS {newer}")
    count = int(store.rows(f"SELECT count(*) FROM store.deals WHERE {mine}")[0][0])
    if not count:
        return 0
    keeper.put("deals", "SELECT *, CAST(NULL AS BIGINT) AS kept_by FROM store.deals WHERE false")
    # What lay beneath the newer row and is older than these rows now lies beneath them.
    store.execute(
        f"UPDATE store.kept_deals AS k SET kept_by = {import_id} FROM shelved AS s WHERE k.deal_id = s.deal_id "
        f"AND k.kept_by = s.by AND coalesce((SELECT max(exported_on) FROM store.deal_snapshots AS a "
        "WHERE a.import_id = k.import_id AND a.deal_id = k.deal_id), DATE '0001-01-01') < "
        f"(SELECT max(exported_on) FROM store.deal_snapshots AS b WHERE b.import_id = {import_id} "
        "AND b.deal_id = k.deal_id)"
    )
    store.execute(
        "INSERT INTO store.kept_deals BY NAME SELECT d.*, s.by AS kept_by FROM store.deals AS d "
        f"JOIN shelved AS s USING (deal_id) WHERE d.import_id = {import_id}"
    )
    store.execute(f"DELETE FROM store.deals WHERE {mine}")
    return count


def undated(store: Engine, made: Plan, staged: Staged, first_id: int) -> list[str]:
    """Say what is lost by an export without a day that tells stored deals differently: it replaces them.

    Raises `BadInput` when the other telling comes from the same call (imports from `first_id` on): nobody can know
    which of the two is the later one.
    """
    fields = [quote(each) for each in FIELDS if each in staged.columns]
    differs = " OR ".join(f"g.{each} IS DISTINCT FROM d.{each}" for each in fields)
    pairs = (
        f"FROM (SELECT * FROM {staged.good}) AS g JOIN store.deals AS d ON d.deal_id = g.deal_id "
        f"AND d.source = {literal(staged.source)} AND ({differs})"
    )
    how = (
        'Name the files such as deals_2026-10-31.csv, or import them one by one with exported_on="2026-10-31" '
        f'(--exported-on), or write {EXPORTED_ON} = "COLUMN" in the mapping of deals.'
    )
    other, count = store.rows(f"SELECT min(d.source_file), count(*) {pairs} AND d.import_id >= {first_id}")[0]
    if count:
        raise BadInput(
            f"{other} and {made.source.name} tell {count:,} deals differently, and nothing says which of them is the "
            f"later export. {how}"
        )
    count = store.rows(f"SELECT count(*) {pairs}")[0][0]
    if not count:
        return []
    return [
        f"{made.source.name}: {count:,} deals are stored otherwise, and nothing says on which day this file was "
        f"exported: it replaces them and leaves no history. {how}"
    ]
