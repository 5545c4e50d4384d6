"""Frames as small semantic tables: units in the header, totals at the bottom, signs and shapes beside colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from salesforecast.errors import BadValue, lookup
from salesforecast.present.labels import entries, has_label, label
from salesforecast.present.style import Style
from salesforecast.present.words import DASH, PAGE_UNITS, digits, missing

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 8
TOTAL = "*"


@dataclass(frozen=True)
class Cell:
    """What one cell shows: its text, its markup when that is more than the text, and its class."""

    text: str
    html: str = ""
    kind: str = "sf-number"

    @property
    def markup(self) -> str:
        """The markup of the cell, escaped."""
        return self.html or escape(self.text)


@dataclass(frozen=True)
class Look:
    """What a table needs to know beyond its frame.

    `style` has the unit of its `value` columns; `measures` gives the style of a row that has its own measure;
    `member(value, dimension)` names a member; `note(codes)` words the codes of a note column.
    """

    style: Style
    member: Callable[[Any, str], str]
    note: Callable[[Any], str]
    measures: Callable[[str], Style]


def table(
    frame: pd.DataFrame,
    look: Look,
    caption: str,
    columns: Sequence[str] | None = None,
    total: str | None = TOTAL,
    most: int = MOST_COLUMNS,
) -> str:
    """Return a frame as an HTML table, everything escaped.

    The first column names the rows; the row whose first value is `total` is set apart as the last. Without
    `columns`, all that have any value are shown; a note column without notes never is. Raises `BadValue` for an unknown
    column or more than eight, because a ninth is not read.
    """
    shown = _chosen(frame, columns, most)
    rows = [_row(each, shown, look, total) for each in _rows(frame)]
    body = [each for each in rows if not each.total]
    foot = [each for each in rows if each.total]
    head = "".join(_header(name, frame, look) for name in shown)
    parts = [
        f'<table class="sf-table"><caption>{escape(caption)}</caption>',
        f"<thead><tr>{head}</tr></thead>",
        "<tbody>" + "".join(each.markup for each in body) + "</tbody>",
    ]
    if foot:
        parts.append("<tfoot>" + "".join(each.markup for each in foot) + "</tfoot>")
    return "".join([*parts, "</table>"])


def first_rows(frame: pd.DataFrame, most: int, total: str | None = TOTAL) -> tuple[pd.DataFrame, int]:
    """Return the first rows of a frame with its total row, and how many rows that leaves out."""
    is_total = frame[frame.columns[0]].astype(str).eq(total) if total is not None else frame.index.to_series().lt(-1)
    if "scope_id" in frame.columns and total is not None:
        is_total = frame["scope_id"].astype(str).eq(total)
    body, foot = frame[~is_total], frame[is_total]
    if len(body) <= most:
        return frame, 0
    import pandas as pd

    return pd.concat([body.head(most), foot]), len(body) - most


def plain(
    frame: pd.DataFrame,
    look: Look,
    caption: str,
    columns: Sequence[str] | None = None,
    total: str | None = TOTAL,
    most: int = MOST_COLUMNS,
) -> str:
    """Return the same table as lines of text, columns apart by ` | `."""
    shown = _chosen(frame, columns, most)
    lines = [caption, " | ".join(_name(each, look.style.words.language) for each in shown)]
    lines += [" | ".join(cell.text for cell in _row(each, shown, look, total).cells) for each in _rows(frame)]
    return "\n".join(lines)


@dataclass(frozen=True)
class _Row:
    cells: tuple[Cell, ...]
    markup: str
    total: bool


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(map(str, frame.columns), each, strict=True)) for each in frame.itertuples(index=False, name=None)]


def _chosen(frame: pd.DataFrame, columns: Sequence[str] | None, most: int) -> list[str]:
    names = [str(each) for each in frame.columns]
    if columns is not None:
        absent = [each for each in columns if each not in names]
        if absent:
            raise BadValue(f"The table has no column {', '.join(absent)}; it has {', '.join(names)}.")
        shown = [each for each in columns if each == columns[0] or _says_something(frame[each])]
    else:
        hidden = {"scope_type"} if "scope_id" in names else set()
        shown = [each for each in names if each not in hidden and _says_something(frame[each])]
    if len(shown) > most:
        raise BadValue(
            f"A table has at most {most} columns; found {len(shown)}. "
            f"Choose with columns=[...] from {', '.join(shown)}."
        )
    return shown or names[:most]


def _says_something(column: pd.Series) -> bool:
    return any(not missing(each) and each != "" for each in column)


def _name(column: str, language: str) -> str:
    return label("column", column, language) if has_label("column", column) else column


def _format(column: str, frame: pd.DataFrame | None = None) -> str:
    if has_label("column", column):
        return entries("column")[column]["format"]
    if frame is None:
        return "text"
    import pandas as pd

    if pd.api.types.is_bool_dtype(frame[column]):
        return "flag"
    if pd.api.types.is_datetime64_any_dtype(frame[column]):
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(frame[column]) else "text"


def _unit(form: str, look: Look, of_row: bool) -> str:
    """Return the unit that a header names; rows with a measure of their own (`of_row`) name it themselves."""
    if form == "money" or (form == "value" and look.style.unit == "money" and not of_row):
        return look.style.words.unit
    return ""


def _header(column: str, frame: pd.DataFrame, look: Look) -> str:
    name, form = _name(column, look.style.words.language), _format(column, frame)
    unit = _unit(form, look, "measure" in frame.columns)
    mark = f' <span class="sf-unit">{escape(unit)}</span>' if unit else ""
    kind = "sf-text" if form in _WORDED else "sf-number"
    return f'<th scope="col" class="{kind}">{escape(name)}{mark}</th>'


def _row(row: Mapping[str, Any], shown: Sequence[str], look: Look, total: str | None) -> _Row:
    import pandas as pd

    measure = row.get("measure")
    style = _small_unit(look.measures(measure), row) if isinstance(measure, str) else look.style
    there = replace(look, style=style)
    is_total = total is not None and str(row[shown[0]]) == total
    frame = pd.DataFrame([row])
    cells, parts = [], []
    for position, column in enumerate(shown):
        form = _format(column, frame)
        cell = lookup(FORMATS, form, "column format")(row[column], there, row, column)
        if is_total and position == 0:
            cell = Cell(style.words.word("total"), kind="sf-text")
        if column == "measure" and style.unit == "money":
            unit = style.words.unit
            cell = Cell(cell.text, f'{escape(cell.text)} <span class="sf-unit">{escape(unit)}</span>', "sf-text")
        cells.append(cell)
        if position == 0:
            parts.append(f'<th scope="row" class="{cell.kind}">{cell.markup}</th>')
        else:
            # A phone has no header row: the name beside the figure carries the unit.
            unit = _unit(form, look, isinstance(measure, str))
            name = escape(f"{_name(column, style.words.language)} {unit}".strip())
            kind = f"{cell.kind} sf-none" if cell.text == DASH else cell.kind
            parts.append(f'<td class="{kind}" data-label="{name}">{cell.markup}</td>')
    mark = ' class="sf-total"' if is_total else ""
    return _Row(tuple(cells), f"<tr{mark}>{''.join(parts)}</tr>", is_total)


def _small_unit(style: Style, row: Mapping[str, Any]) -> Style:
    """Return the style of a row with a measure of its own: an average order of 1.6 万元 is better said in 元."""
    value = row.get("value")
    if style.unit != "money" or missing(value):
        return style
    units = [each for each in PAGE_UNITS[style.words.language] if each < style.words.factor]
    if abs(float(value or 0)) >= 10 * style.words.factor or not units:
        return style
    factor = next((each for each in units if abs(float(value or 0)) >= 10 * each), 1)
    return replace(style, words=replace(style.words, factor=factor))


def variance(value: Any, text: str, style: Style) -> Cell:
    """Return a variance: sign, arrow and colour; the colour follows the settings, the class says good or bad.

    >>> from salesforecast.present.words import Words
    >>> variance(-0.1, "−10.0%", Style(Words("zh"))).html
    '<span class="sf-var sf-bad sf-red">▼ −10.0%</span>'
    """
    if missing(value):
        return Cell(DASH)
    if not any(each in "123456789" for each in text):
        return Cell(text, f'<span class="sf-var">{escape(text)}</span>')
    up = float(value) > 0
    arrow = "▲" if up else "▼"
    kind = "sf-neutral"
    if style.higher_is_better is not None:
        good = up == style.higher_is_better
        kind = f"sf-{'good' if good else 'bad'} sf-{'red' if good == style.red_up else 'green'}"
    return Cell(f"{arrow} {text}", f'<span class="sf-var {kind}">{arrow} {escape(text)}</span>')


def _value(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(look.style.cell(value))


def _money(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(look.style.words.cell(value))


def _pct(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.words.percent(value))


def _change(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH) if missing(value) else variance(value, look.style.change(value), look.style)


def _change_plain(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.words.change(value))


def _points(value: Any, look: Look, row: Any, column: str) -> Cell:
    if missing(value):
        return Cell(DASH)
    return variance(value, look.style.words.points(value), replace(look.style, higher_is_better=True))


def _attainment(value: Any, look: Look, row: Any, column: str) -> Cell:
    from salesforecast.present.drawings import bullet

    if missing(value):
        return Cell(DASH)
    text = look.style.words.percent(value)
    due = row.get("time_progress")
    return Cell(text, f"{bullet(float(value), None if missing(due) else float(due))} {escape(text)}")


def _decimals(places: int) -> Callable[[Any, Look, Any, str], Cell]:
    def form(value: Any, look: Look, row: Any, column: str) -> Cell:
        return Cell(DASH if missing(value) else digits(float(value), places))

    return form


def _number(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.words.number(value))


def _p_value(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else "< 0.001" if value < 0.001 else f"{value:.3f}")


def _date(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.words.date(value), kind="sf-text")


def _period(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.period(value), kind="sf-text")


def _member(value: Any, look: Look, row: Any, column: str) -> Cell:
    dimension = str(row.get("scope_type", column)) if column == "scope_id" else column
    # A row of a tree stands in by its depth: an em space survives print, phone and plain text.
    indent = "\u2003" * max(int(row.get("depth", 1)) - 1, 0) if column == "scope_id" else ""
    if dimension == "company":
        return Cell(look.style.words.word("company"), kind="sf-text")
    return Cell(indent + look.member(value, dimension), kind="sf-text")


def _assumption(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) or value == "" else look.style.words.punctuated(str(value)), kind="sf-text")


def _coded(group: str) -> Callable[[Any, Look, Any, str], Cell]:
    def form(value: Any, look: Look, row: Any, column: str) -> Cell:
        if missing(value):
            return Cell(DASH, kind="sf-text")
        known = has_label(group, str(value))
        text = label(group, str(value), look.style.words.language) if known else str(value)
        return Cell(text, kind="sf-text")

    return form


def _text(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) or value == "" else str(value), kind="sf-text")


def _note(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell("" if missing(value) else look.note(value), kind="sf-text sf-note")


def _flag(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.words.word("yes" if value else "no"), kind="sf-text")


def _measure(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.words.format(value, "measure"), kind="sf-text")


def _model(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.member(value, "model"), kind="sf-text")


def _gain(value: Any, look: Look, row: Any, column: str) -> Cell:
    """Return a difference in percentage points, the unit in the header; within chance it has no colour."""
    if missing(value):
        return Cell(DASH)
    text = look.style.words.signed(float(value) * 100, 1)
    return (
        Cell(text)
        if row.get("verdict") == "even"
        else variance(value, text, replace(look.style, higher_is_better=True))
    )


def _step(value: Any, look: Look, row: Any, column: str) -> Cell:
    return Cell(DASH if missing(value) else look.style.say(f"step_{value}"), kind="sf-text")


def _forecaster(value: Any, look: Look, row: Any, column: str) -> Cell:
    """Return a forecaster of the archive: a model, or who made a call (`rep:P014`), masked as people are."""
    kind, _, person = str(value).partition(":")
    if not person or kind not in ("rep", "manager"):
        return _model(value, look, row, column)
    word = look.style.words.word
    return Cell(
        word("all_reps") if person == TOTAL else f"{word(kind)} {look.member(person, 'person')}", kind="sf-text"
    )


def _table(value: Any, look: Look, row: Any, column: str) -> Cell:
    from salesforecast.schema import TABLES

    known = str(value) in TABLES and look.style.words.language == "zh"
    return Cell(TABLES[str(value)].zh if known else str(value), kind="sf-text")


def _field(value: Any, look: Look, row: Any, column: str) -> Cell:
    """Return a column of the canonical tables; a check of targets names a scope type instead."""
    from salesforecast.schema import TABLES

    code, language = str(value), look.style.words.language
    table = TABLES.get(str(row.get("table", row.get("table_name"))))
    if missing(value) or table is None:
        return Cell(DASH if missing(value) else code, kind="sf-text")
    names = {each.name: each.zh for each in (*table.columns, *table.virtual)}
    if has_label("code", code) and code not in names:
        return Cell(label("code", code, language), kind="sf-text")
    return Cell(names.get(code, code) if language == "zh" else code, kind="sf-text")


FORMATS: dict[str, Callable[[Any, Look, Any, str], Cell]] = {
    "value": _value,
    "money": _money,
    "pct": _pct,
    "change": _change,
    "change_plain": _change_plain,
    "points": _points,
    "attainment": _attainment,
    "count": _decimals(0),
    "number": _number,
    "number2": _decimals(2),
    "number3": _decimals(3),
    "p_value": _p_value,
    "date": _date,
    "period": _period,
    "member": _member,
    "code": _coded("code"),
    "effect": _coded("effect"),
    "rule": _coded("rule"),
    "field": _field,
    "event": _coded("event"),
    "section": _coded("section"),
    "check": _coded("check"),
    "text": _text,
    "note": _note,
    "flag": _flag,
    "measure": _measure,
    "model": _model,
    "table": _table,
    "leaning": _coded("leaning"),
    "verdict": _coded("verdict"),
    "gain": _gain,
    "assumption": _assumption,
    "driver": _coded("driver"),
    "unused": _coded("unused"),
    "scenario": _coded("scenario"),
    "step": _step,
    "forecaster": _forecaster,
}
_WORDED = frozenset({
    "date", "period", "member", "code", "effect", "rule", "field", "event", "section", "check", "text", "note", "flag",
    "measure", "model", "table", "leaning", "verdict", "assumption", "driver", "unused", "scenario", "step",
    "forecaster",
})  # fmt: skip


def is_member(column: str) -> bool:
    """Say whether a column names members of a dimension.

    >>> is_member("region"), is_member("value")
    (True, False)
    """
    return _format(column) == "member"
