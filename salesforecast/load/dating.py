"""Dates that stand in several columns, or lack the year that the title says."""

from __future__ import annotations

import re
from dataclasses import replace

from salesforecast.engine import Engine, literal, quote
from salesforecast.load.files import Source
from salesforecast.load.layouts import rows_above
from salesforecast.load.periods import year_in
from salesforecast.load.spelling import normalise

_YEARS = ("年", "年份", "年度", "会计年度", "year", "fiscalyear", "calendaryear", "jahr", "annee", "ano")
_MONTHS = ("月", "月份", "会计月份", "month", "monthno", "monthnumber", "monat", "mois", "mes")
_QUARTERS = ("季度", "季", "quarter", "qtr", "fiscalquarter", "quartal", "trimestre")
_DAYS = ("日", "day")
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_UNDATED = r"(0?[1-9]|1[0-2])\s*(?:月|[./])\s*([0-2]?\d|3[01])\s*[日号]?"
_IS_DAY = re.compile(r"日期|时间|日$")


def dated(engine: Engine, source: Source) -> Source:
    """Return a source with one column of dates where year, month, quarter or day stand apart or the year is missing.

    The columns they were made of stay under another name. `3月5日` takes the year of title, sheet or file name; where
    none of them names one year, the source stays as it is.
    """
    return _with_year(engine, _together(engine, source))


def _together(engine: Engine, source: Source) -> Source:
    places = {normalise(header): place for place, header in enumerate(source.headers)}
    year = next((places[each] for each in _YEARS if each in places), None)
    part, names = next(
        ((places[each], names) for names in (_MONTHS, _QUARTERS) for each in names if each in places), (None, ())
    )
    if year is None or part is None:
        return source
    day = next((places[each] for each in _DAYS if each in places), None) if names is _MONTHS else None
    y = f"try_cast(regexp_extract(c{year}, '(?:FY\\s*)?(20\\d\\d|19\\d\\d)', 1) AS INTEGER)"
    most = 12 if names is _MONTHS else 4
    words = " ".join(f"WHEN {literal(name)} THEN {place}" for place, name in enumerate(_NAMES, start=1))
    n = (
        f"coalesce(try_cast(regexp_extract(translate(c{part}, '一二三四', '1234'), "
        f"'^\\D{{0,2}}(\\d{{1,2}})(?:\\.0)?\\D{{0,2}}$', 1) AS INTEGER), "
        f"CASE lower(left(trim(c{part}), 3)) {words} END)"
    )
    d = f"try_cast(c{day} AS INTEGER)" if day is not None else "1"
    good = f"{y} IS NOT NULL AND {n} BETWEEN 1 AND {most} AND {d} BETWEEN 1 AND 31"
    read, filled = engine.rows(
        f"SELECT count(*) FILTER ({good}), count(*) FILTER (trim(coalesce(c{part}, '')) <> '') "
        f"FROM {quote(source.relation)}"
    )[0]
    if not read or read < 0.9 * filled:
        return source
    text = f"printf('%d-%02d-%02d', {y}, {n}, {d})" if names is _MONTHS else f"printf('%d-Q%d', {y}, {n})"
    relation = f"{source.relation}_dated"
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {quote(relation)} AS SELECT *, CASE WHEN {good} THEN {text} END "
        f"AS c{len(source.headers)} FROM {quote(source.relation)} ORDER BY {quote('row')}"
    )
    used = [each for each in (year, part, day) if each is not None]
    # What has become one date is no period of its own any more.
    headers = [
        f"{header}, part of the date" if place in used else header for place, header in enumerate(source.headers)
    ]
    note = f"date from {', '.join(source.headers[each] for each in used)}"
    name = "日期" if re.search("[一-鿿]", source.headers[part]) else "date"
    if name in source.headers:
        return source
    return replace(source, relation=relation, headers=(*headers, name), notes=(*source.notes, note), tidy=frozenset())


def _with_year(engine: Engine, source: Source) -> Source:
    days = [place for place, header in enumerate(source.headers) if _IS_DAY.search(header)]
    if not days:
        return source
    counts = ", ".join(
        f"count(*) FILTER (regexp_full_match(trim(c{place}), {literal(_UNDATED)})), "
        f"count(*) FILTER (trim(coalesce(c{place}, '')) <> '')"
        for place in days
    )
    found = engine.rows(f"SELECT {counts} FROM {quote(source.relation)}")[0]
    places = [place for n, place in enumerate(days) if found[2 * n] >= max(0.9 * found[2 * n + 1], 1)]
    title = " ".join([*(cell for row in rows_above(source) for cell in row), source.sheet or "", source.stem])
    year, _ = year_in(title)
    if not places or year is None:
        return source
    cells = ", ".join(
        f"CASE WHEN regexp_full_match(trim(c{place}), {literal(_UNDATED)}) THEN regexp_replace(trim(c{place}), "
        f"{literal(f'^{_UNDATED}$')}, '{year}-\\1-\\2') ELSE c{place} END AS c{place}"
        if place in places else f"c{place}"
        for place in range(len(source.headers))
    )  # fmt: skip
    relation = f"{source.relation}_years"
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {quote(relation)} AS SELECT {quote('row')}, {cells} "
        f"FROM {quote(source.relation)} ORDER BY {quote('row')}"
    )
    note = f"{source.headers[places[0]]}: days without a year are of {year}, as the title says"
    return replace(source, relation=relation, notes=(*source.notes, note))
