"""How a wide table is laid out: which of its columns hold values, of which period, measure and kind."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from salesforecast.engine import Engine, quote
from salesforecast.load.files import Source
from salesforecast.load.periods import GRAINS, Span, span_of
from salesforecast.load.presets import Preset
from salesforecast.load.recognise import MASTERS, recognise
from salesforecast.load.spelling import normalise, unit

TARGET = re.compile(r"目标|任务|计划|预算|指标|考核|配额|target|budget|quota|goal|\bplan|objective")
_ACTUAL = re.compile(r"实际|完成|实绩|\bactual|achieved|\bresult")
_RATIO = re.compile(
    r"完成率|达成率|占比|同比|环比|增长|增幅|差额|差异|进度|权重|%|attainment|achievement|variance|growth|share|gap|\brate"
)
_FILLERS = re.compile(r"[\s\-_/:：()（）]|金额|数值|值|额|万元|元|value|amount|sales rep|number")


@dataclass(frozen=True)
class Column:
    """One column of values: its period, whether a target or an actual, and its measure."""

    place: int
    header: str
    span: Span
    actual: bool
    measure: str | None
    unit: str | None


@dataclass
class Table:
    """A wide table as it was read."""

    source: Source
    columns: list[Column]
    rows: list[tuple[int, list[str]]]
    title: str
    ratios: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def read_layout(engine: Engine, source: Source, aliases: Preset, first_month: int) -> Table | None:
    """Return the layout of a wide table, or None when the source is none."""
    above = rows_above(source)
    title = " ".join([*(cell for row in above for cell in row if cell), source.sheet or "", source.stem])
    headers = [re.sub(r" \(\d+\)$", "", each) for each in source.headers]
    headers = ["" if re.fullmatch(r"column \d+", each) else each for each in headers]
    spans = [_period(each, aliases, first_month) for each in headers]
    over = [*above[-1], *[""] * len(headers)][: len(headers)] if above else []
    groups = [span_of(cell, first_month) if cell else None for cell in _filled(over, len(headers))]
    match = recognise(source, aliases)
    named = match.table if match and not match.missing else None
    if named not in (None, "targets", "measurements", *MASTERS):
        return None
    dated = [header for header, span in zip(headers, spans, strict=True) if is_dated(span)]
    if len(dated) == 1 and named is None and role_of(dated[0]) == "target":
        pass  # 姓名, 2026年目标: one period will do when it is called a target
    elif len(dated) < 2 and sum(is_dated(each) for each in groups) < 2:
        return _matrix(engine, source, headers, title, aliases)
    rows = rows_of(engine, source)
    below: list[str] = []
    if rows and "" in headers and not any(value_of(cell) is not None for cell in rows[0][1]):
        below = rows.pop(0)[1]
    filled = _filled(headers, len(headers)) if below else headers
    columns, ratios = [], []
    for place, header in enumerate(headers):
        span, words = spans[place], header
        if below and below[place]:
            span, words = _period(filled[place], aliases, first_month), f"{filled[place]} {below[place]}"
        elif (
            span is None and groups[place] and (role_of(header) or measure_of(header, aliases))
            and any(value_of(cells[place]) is not None for _, cells in rows)
        ):  # fmt: skip
            span, words = groups[place], f"{header}"
        elif span and is_dated(span) and span.year is None and (over_it := groups[place]):
            span = replace(span, year=over_it.year, fiscal=span.fiscal or over_it.fiscal)
        if span is None:
            continue
        about = (
            span.rest + " " + (below[place] if below else header if words == header and spans[place] is None else "")
        )
        if role_of(about) == "ratio":
            ratios.append(words)
            continue
        columns.append(
            Column(
                place, words, span, role_of(about) == "actual", measure_of(about, aliases), unit(header) or unit(about)
            )
        )
    # The names of merged side columns stand in the row above.
    names = [
        header or over[place] if over and not is_dated(groups[place]) else header
        for place, header in enumerate(headers)
    ]
    return Table(source, columns, rows, title, ratios, names) if columns else None


def _matrix(engine: Engine, source: Source, headers: list[str], title: str, aliases: Preset) -> Table | None:
    """Return the layout of a table whose columns are measures, or a target and its result in a period of the title."""
    found: dict[int, str | None] = {
        place: measure for place, header in enumerate(headers) if (measure := measure_of(header, aliases))
    }
    about_targets = bool(TARGET.search(title.lower())) or all(TARGET.search(headers[place]) for place in found)
    if len(set(found.values())) < 2 or not about_targets:
        found = {place: None for place, header in enumerate(headers) if role_of(header) in ("target", "actual")
                 and not any(normalise(header) in tier for tier in aliases.columns["targets"]["measure"])}  # fmt: skip
        period = aliases.columns["targets"]["period_start"]
        if (
            not found
            or not is_dated(span_of(title))
            or any(normalise(each) in tier for tier in period for each in headers)
        ):
            return None
    columns = [
        Column(
            place,
            headers[place],
            Span("row"),
            role_of(headers[place]) == "actual",
            measure,
            unit(headers[place]),
        )
        for place, measure in found.items()
        if role_of(headers[place]) != "ratio"
    ]
    return Table(source, columns, rows_of(engine, source), title)


def _period(header: str, aliases: Preset, first_month: int) -> Span | None:
    """Return the period of a header whose other words are known: 3月目标, but not 3月活动."""
    span = span_of(header, first_month)
    if span is None or not span.rest or role_of(span.rest) or measure_of(span.rest, aliases):
        return span
    return span if not _FILLERS.sub("", span.rest) else None


def is_dated(span: Span | None) -> bool:
    """Say whether a span is a month, quarter, half-year or year."""
    return span is not None and span.grain in GRAINS


def role_of(text: str) -> str | None:
    """Say whether a header speaks of targets, of what was reached, or of a ratio that can be computed."""
    text = text.lower()
    if _RATIO.search(text):
        return "ratio"
    return "actual" if _ACTUAL.search(text) else "target" if TARGET.search(text) else None


def measure_of(text: str, aliases: Preset) -> str | None:
    """Return the measure that a header names: `回款目标` is receipts."""
    codes = aliases.codes("targets", "measure")
    bare = normalise(text)
    plain = normalise(TARGET.sub("", _ACTUAL.sub("", text.lower()))) if bare else ""
    return codes.get(bare) or codes.get(plain) or codes.get(_FILLERS.sub("", plain))


def rows_above(source: Source) -> list[list[str]]:
    """Return the rows above the header, as far as the file can be read again."""
    if source.header_row < 2 or source.above:
        return [list(row) for row in source.above]
    try:
        with source.path.open(encoding=source.encoding or "utf-8", newline="") as file:
            lines = [line for _, line in zip(range(source.header_row), file, strict=False)]
    except Exception:  # an archive, a database: nothing above the header can be read again
        return []
    delimiter = max(",\t;|", key=lines[-1].count)
    return [[cell.strip() for cell in row] for row in csv.reader(lines[:-1], delimiter=delimiter)]


def rows_of(engine: Engine, source: Source) -> list[tuple[int, list[str]]]:
    """Return the rows of a source: number and trimmed cells, blanks as empty text."""
    cells = ", ".join(f"c{place}" for place in range(len(source.headers)))
    rows = engine.rows(f"SELECT {quote('row')}, {cells} FROM {source.relation} ORDER BY {quote('row')}")
    return [(int(row), ["" if cell is None else str(cell).strip() for cell in found]) for row, *found in rows]


def _filled(cells: Sequence[str], width: int) -> list[str]:
    """Return the cells of a row with the blanks of merged cells filled from the left."""
    filled, last = [], ""
    for place in range(width):
        last = (cells[place] if place < len(cells) else "") or last
        filled.append(last)
    return filled


def value_of(text: str) -> float | None:
    """Return a number for comparing with control totals; staging reads the cells themselves."""
    bare = re.sub(r"[\s,¥￥$€]", "", text)
    scale = 1e4 if bare.endswith("万") else 1
    found = re.fullmatch(r"\(?(-?\d+(?:\.\d+)?)\)?万?", bare)
    return (float(found[1]) * scale * (-1 if bare.startswith("(") else 1)) if found else None
