r"""The one cleaner: SQL expressions that turn the text of an export into numbers, dates, flags and codes.

Each function takes an SQL expression of text and returns one of the wanted type; what cannot be read becomes null.
Plain values take a fast path (`try_cast`), only the others pay for the slow one. Decisions that need a whole column
(day or month first, decimal commas, percent) are made once by `profile_numbers` and `profile_dates` and passed in.

========== ==============================================================================================
numbers    `¥1,234.50`, `１２３`, `1.2万`, `3.5亿`, `(1,234)`, `12-`, `12.5%`; `1.234,56` where a column is European
null       blank, `-`, `--`, `—`, `null`, `N/A`, `#N/A`
dates      ISO, `2026/1/5`, `2026.01.05`, `2026年1月5日`, `20260105`, Excel serials, `5-Jan-26`, with or without a time;
           day or month first as the column's impossible values decide; two-digit years: 69 is 1969, 68 is 2068
months     `2026-10`, `2026年10月`, `202610`, `Apr-18` (always a month, never 18 April), `2026-Q4`, `2026`
flags      是/否, 有/无, Y/N, true/false, 1/0
========== ==============================================================================================

`date` keeps the wall clock of the export, and turns a time with an offset (`+08:00`, `Z`) into UTC; `staging` knows the
company's time zone and makes the one or the other of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import AmbiguousMapping, BadInput
from salesforecast.schema import Kind

SPACES = " \t\r\n\u00a0\u3000\ufeff\u200b"
BLANKS = ("", "-", "--", "---", "—", "——", "null", "NULL", "N/A", "n/a", "#N/A")
SCALES = {
    "元": 1, "百元": 100, "千元": 1e3, "千": 1e3, "k": 1e3, "万元": 1e4, "万": 1e4, "百万": 1e6, "百万元": 1e6,
    "m": 1e6, "million": 1e6, "thousand": 1e3, "千万": 1e7, "千万元": 1e7, "亿元": 1e8, "亿": 1e8,
}  # fmt: skip
TRUE = ("是", "有", "y", "yes", "true", "t", "1", "√", "通过", "真", "已退", "returned")
FALSE = ("否", "无", "n", "no", "false", "f", "0", "×", "未通过", "不通过", "假")
LARGEST = 1e14  # what money columns can hold; beyond it a number is damaged text

_WIDE = "０１２３４５６７８９．，－＋（）％￥：／"
_NARROW = "0123456789.,-+()%¥:/"
_US = r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}|\d+)(?:\.\d*)?|\.\d+"
_EUROPEAN = r"(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?"
_SUFFIXES = {"亿": "1e8", "千万": "1e7", "百万": "1e6", "万": "1e4", "千": "1e3", "k": "1e3"}


@dataclass(frozen=True)
class Numbers:
    """What a whole column of numbers tells: counts of non-blank, unreadable, percent-like values and more."""

    filled: int = 0
    unreadable: int = 0
    zeros: int = 0
    ones: int = 0
    fractions: int = 0
    above_one: int = 0
    signed_percent: int = 0
    example: str | None = None
    plain: bool = True
    european: bool = False

    @property
    def percent(self) -> bool:
        """Whether a column of shares is written as 30 rather than 0.3."""
        return self.above_one > 0 and self.above_one >= self.fractions


@dataclass(frozen=True)
class Dates:
    """How a column writes its dates: `strptime` formats, Excel serials, and what was decided on the way."""

    formats: tuple[str, ...] = ()
    serials: bool = False
    iso: bool = False
    offsets: bool = False
    mixed: bool = False
    note: str | None = None


def text(value: str) -> str:
    """Return SQL for trimmed text, null when there is nothing in it; leading zeros stay."""
    trimmed = f"trim({value}, {literal(SPACES)})"
    blanks = ", ".join(map(literal, BLANKS))
    return f"CASE WHEN {trimmed} IN ({blanks}) THEN NULL ELSE {trimmed} END"


def filled(value: str) -> str:
    """Return SQL that is true where the text says anything at all."""
    return f"coalesce(trim({value}, {literal(SPACES)}) NOT IN ({', '.join(map(literal, BLANKS))}), false)"


def number(
    value: str,
    kind: Kind = "number",
    *,
    plain: bool = False,
    european: bool = False,
    percent: bool = False,
    scale: float = 1,
) -> str:
    """Return SQL for a number of the kind: money DECIMAL(18,4), integer BIGINT, otherwise DOUBLE.

    `plain` says that the column holds bare numbers only, which is much cheaper; `european` reads `1.234,56`; `percent`
    divides by 100; `scale` multiplies (10000 for a column in 万元). `12.5%` is 0.125 except for money, where it is
    unreadable.
    """
    wanted = "DECIMAL(18,4)" if kind == "money" else "DOUBLE"
    fast, slow = f"try_cast({value} AS {wanted})", ""
    if not plain:
        slow = f"CAST({_slow_number(value, european=european, money=kind == 'money')} AS {wanted})"
    read = fast if plain else slow if european else f"coalesce({fast}, {slow})"
    if kind != "money":
        read = f"CASE WHEN abs({read}) < {LARGEST:.0f} THEN {read} END"
    if kind == "integer":
        read = f"CASE WHEN {read} = round({read}) THEN CAST({read} AS BIGINT) END"
    if percent:
        read = f"CASE WHEN contains({value}, '%') OR contains({value}, '％') THEN {read} ELSE {read} / 100 END"
    return read if scale == 1 else f"try_cast({read} * {scale:.0f} AS {wanted})"


def flag(value: str) -> str:
    """Return SQL for a yes/no value."""
    word = f"lower(trim({value}, {literal(SPACES)}))"
    return (
        f"CASE WHEN {word} IN ({', '.join(map(literal, TRUE))}) THEN true "
        f"WHEN {word} IN ({', '.join(map(literal, FALSE))}) THEN false END"
    )


def code(value: str, codes: Mapping[str, str], *, keep_unknown: bool = False) -> str:
    """Return SQL for the canonical code of an enumeration; unknown text is null, or stays with `keep_unknown`."""
    word = f"regexp_replace(lower({value}), '[^\\w%\\p{{Han}}]|_', '', 'g')"
    cases = " ".join(f"WHEN {literal(alias)} THEN {literal(canonical)}" for alias, canonical in codes.items())
    otherwise = text(value) if keep_unknown else "NULL"
    return f"CASE {word} {cases} ELSE {otherwise} END" if codes else otherwise


def date(value: str, dates: Dates) -> str:
    """Return SQL for a TIMESTAMP, read the way `dates` says."""
    narrow = f"trim(translate({value}, {literal(_WIDE)}, {literal(_NARROW)}), {literal(SPACES)})"
    reads = []
    if dates.iso:
        guarded = f"CASE WHEN regexp_matches({narrow}, '^\\d{{4}}-\\d') THEN {narrow} END" if dates.mixed else narrow
        iso = f"try_cast({guarded} AS TIMESTAMP)"
        if dates.offsets:
            bare = f"regexp_replace({guarded}, '(Z|[+-]\\d\\d:?\\d\\d)$', '')"
            offset = f"regexp_extract({guarded}, ':\\d\\d.*?([+-])(\\d\\d):?(\\d\\d)$', {{}})"
            minutes = " + ".join(
                f"coalesce(try_cast({offset.format(part)} AS BIGINT), 0) * {times}" for part, times in ((2, 60), (3, 1))
            )
            sign = f"CASE WHEN {offset.format(1)} = '-' THEN 1 ELSE -1 END"
            iso = f"try_cast({bare} AS TIMESTAMP) + to_minutes({sign} * ({minutes}))"
        reads.append(iso)
    if dates.formats:
        reads.append(f"try_strptime({narrow}, [{', '.join(map(literal, dates.formats))}])")
    if dates.serials:
        days = f"try_cast({narrow} AS DOUBLE)"
        reads.append(
            f"CASE WHEN {days} BETWEEN 18264 AND 73415 THEN "
            f"TIMESTAMP '1899-12-30' + to_seconds(round({days} * 86400)) END"
        )
    if not reads:
        return "CAST(NULL AS TIMESTAMP)"
    return f"coalesce({', '.join(reads)})"


def quarter_start(value: str) -> str:
    """Return SQL that reads `2026-Q4`, `2026Q4`, `2026年第4季度` as the first day of the quarter, else null."""
    pattern = r"^\s*(\d{4})\D*?(?:[qQ]|第)\s*([1-4一二三四])\s*(?:季度?)?\s*$"
    number = f"translate(regexp_extract({value}, {literal(pattern)}, 2), '一二三四', '1234')"
    year = f"regexp_extract({value}, {literal(pattern)}, 1)"
    return (
        f"CASE WHEN regexp_matches({value}, {literal(pattern)}) THEN "
        f"CAST(make_date(CAST({year} AS BIGINT), CAST({number} AS BIGINT) * 3 - 2, 1) AS TIMESTAMP) END"
    )


def scale_of(unit: str | None) -> float | None:
    """Return the factor of a unit in a header, or None when it is not a unit of money.

    >>> scale_of("万元"), scale_of("元"), scale_of("箱")
    (10000.0, 1, None)
    """
    return SCALES.get(unit.strip().lower()) if unit else None


def profile_numbers(engine: Engine, relation: str, columns: Mapping[str, tuple[str, Kind]]) -> dict[str, Numbers]:
    """Look once at whole columns of numbers; `columns`: name -> (column of the relation, kind)."""
    plain = {name: (quote(source), number(quote(source), kind, plain=True)) for name, (source, kind) in columns.items()}
    result = _counted(engine, relation, plain)
    # Only columns that hold more than bare numbers pay for the slow reading.
    dirty = {name: columns[name] for name, found in result.items() if found.unreadable}
    if not dirty:
        return result
    european = _european(engine, relation, {name: source for name, (source, _) in dirty.items()})
    slow = {
        name: (quote(source), number(quote(source), kind, european=name in european))
        for name, (source, kind) in dirty.items()
    }
    for name, found in _counted(engine, relation, slow).items():
        result[name] = replace(found, plain=False, european=name in european)
    return result


def _counted(engine: Engine, relation: str, columns: Mapping[str, tuple[str, str]]) -> dict[str, Numbers]:
    """Count what `Numbers` holds; `columns`: name -> (SQL of the text, SQL of the number)."""
    if not columns:
        return {}
    inner, counts = [], []
    for position, (value, read) in enumerate(columns.values()):
        inner.append(f"CASE WHEN {filled(value)} THEN {value} END AS v{position}, {read} AS n{position}")
        v, n = f"v{position}", f"n{position}"
        counts.append(
            f"count({v}), count(*) FILTER ({v} IS NOT NULL AND {n} IS NULL), count(*) FILTER ({n} = 0), "
            f"count(*) FILTER ({n} = 1), count(*) FILTER ({n} > 0 AND {n} < 1), count(*) FILTER ({n} > 1), "
            f"count(*) FILTER (contains({v}, '%') OR contains({v}, '％')), min({v}) FILTER ({n} IS NULL)"
        )
    row = engine.rows(f"SELECT {', '.join(counts)} FROM (SELECT {', '.join(inner)} FROM {relation})")[0]
    return {name: Numbers(*row[position * 8 : position * 8 + 8]) for position, name in enumerate(columns)}


def _european(engine: Engine, relation: str, columns: Mapping[str, str]) -> set[str]:
    """Return the columns with values that only decimal commas explain, and none that only decimal points do."""
    comma = literal(r"^\D*\d+,(\d{1,2}|\d{4,})\D*$|\.\d{3},|\d\.\d{3}\.\d{3}")
    point = literal(r"^[^,]*\.(\d{1,2}|\d{4,})\D*$|,\d{3}\.")
    parts = []
    for source in columns.values():
        bare = _bare(quote(source))
        parts += [f"bool_or(regexp_matches({bare}, {comma}))", f"bool_or(regexp_matches({bare}, {point}))"]
    row = engine.rows(f"SELECT {', '.join(parts)} FROM {relation}")[0]
    return {name for position, name in enumerate(columns) if row[position * 2] and not row[position * 2 + 1]}


def profile_dates(
    engine: Engine, relation: str, column: str, *, label: str, order: str | None = None, period: bool = False
) -> Dates:
    """Look once at a whole column of dates and decide how they are written.

    `order` is `dmy`, `mdy`, `ymd` or a `strptime` format and settles what the values leave open; `period` columns also
    read `202610` as a month. Raises `AmbiguousMapping` when day and month could be swapped everywhere, `BadInput` when
    the column mixes both.
    """
    if order and "%" in order:
        return Dates(formats=(order,), note=f"read as {order}")
    value = f"trim(translate({quote(column)}, {literal(_WIDE)}, {literal(_NARROW)}), {literal(SPACES)})"
    numbers = [
        f"try_cast(regexp_extract({value}, '^(\\d+)\\D+(\\d+)\\D+(\\d+)', {part}) AS BIGINT)" for part in (1, 2, 3)
    ]
    shapes = engine.rows(
        f"SELECT regexp_replace(regexp_replace(t, '\\d', '9', 'g'), '[A-Za-z]+', 'a', 'g') AS shape, min(t), "
        "sum(n), min(a), max(a), max(b), min(c), max(c) FROM ("
        f"SELECT {value} AS t, count(*) AS n, {numbers[0]} AS a, {numbers[1]} AS b, {numbers[2]} AS c "
        f"FROM {relation} WHERE {filled(quote(column))} GROUP BY ALL) GROUP BY shape ORDER BY shape LIMIT 500"
    )
    return _Shapes(label, order, period).read(shapes)


class _Shapes:
    """Turns the shapes of a column (`9999-99-99`) into formats; keeps what was seen of day and month."""

    def __init__(self, label: str, order: str | None, period: bool) -> None:
        self.label, self.order, self.period = label, order, period

    def read(self, shapes: list[tuple]) -> Dates:
        formats: dict[str, None] = {}
        notes: dict[str, None] = {}
        serials = iso = offsets = False
        trailing: dict[str, list[tuple]] = {}
        for shape, example, _, *spans in shapes:
            short = re.sub(r"9+", _run, shape)
            day, time = _split_time(short, example)
            if day is None:
                continue
            if re.fullmatch(r"Y-d-d", day) and time is not None:
                iso = True
                offsets = offsets or bool(re.search(r"(Z|[+-]\d\d:?\d\d)$", example[10:]))
            elif match := re.fullmatch(r"Y([-/.])d\1d", day):
                formats[f"%Y{match[1]}%m{match[1]}%d{time}"] = None
            elif day == "Y年d月d日":
                formats[f"%Y年%m月%d日{time}"] = None
            elif day == "D" and not time:
                formats["%Y%m%d"] = None
            elif day in ("S", "S.d") and not time:
                serials = True
            elif match := re.fullmatch(r"(d)([-/.])d\2(Y|d)", day):
                trailing.setdefault(f"{match[2]}{match[3]}", []).append((time, example, *spans))
            elif found := _word_month(day, example):
                formats[found + (time or "")] = None
                if "%d" not in found:
                    notes["months are dated on their first day"] = None
                if "%y" in found:
                    notes["two-digit years"] = None
            elif found := _month_only(day, self.period):
                formats[found] = None
                notes["months are dated on their first day"] = None
        for key, seen in trailing.items():
            order = self._order(key, seen)
            for time, *_ in seen:
                formats[_ordered(order, key[0], key[1] == "d") + time] = None
            notes[{"dmy": "day first", "mdy": "month first", "ymd": "year first"}[order]] = None
            if key[1] == "d":
                notes["two-digit years"] = None
        return Dates(tuple(formats), serials, iso, offsets, len(shapes) > 1, ", ".join(notes) or None)

    def _order(self, key: str, seen: list[tuple]) -> str:
        """Decide between day first and month first by values that cannot be a month."""
        if self.order:
            return self.order
        lowest = min(each[2] for each in seen)
        first, second = max(each[3] for each in seen), max(each[4] for each in seen)
        low_third, third = min(each[5] for each in seen), max(each[6] for each in seen)
        if key == ".Y":
            return "dmy"  # with dots the day always comes first
        if first > 31 or (key[1] == "d" and self._year_first(lowest, first, second, low_third, third)):
            return "ymd"
        if first > 12 and second > 12:
            raise BadInput(
                f"{self.label} mixes day-first and month-first dates, such as {seen[0][1]!r}. "
                "Export it with one date format, best 2026-01-31."
            )
        if first > 12:
            return "dmy"
        if second > 12:
            return "mdy"
        raise AmbiguousMapping(
            f"{self.label}: {seen[0][1]!r} can be day first or month first, and no value decides it. "
            'Write date_format = "dmy" or date_format = "mdy" in the mapping of this table.'
        )

    @staticmethod
    def _year_first(lowest: int, first: int, second: int, low_third: int, third: int) -> bool:
        """Year first when the first number varies less than the last, which then must be the day."""
        return second <= 12 and third > 12 and third <= 31 and (first - lowest) * 2 < third - low_third


def _run(match: re.Match[str]) -> str:
    return {1: "d", 2: "d", 4: "Y", 5: "S", 6: "M", 8: "D"}.get(len(match[0]), "N")


def _split_time(shape: str, example: str) -> tuple[str | None, str]:
    """Split a shape into its day part and the format of its time (with the separator before it)."""
    match = re.fullmatch(r"(.*?\S)?(?:(\s+|a)(d:d(?::d(?:\.[dYSMDN]+)?)?)(\s*a)?(?:[+-]d:?d|[+-]Y)?)", shape)
    if not match:
        return shape, ""
    day, gap, clock, half = match.groups()
    if day is None:
        return None, ""
    if gap == "a" and not re.search(r"\dT\d", example):
        return shape, ""
    noon = bool(half) and example.strip()[-1:].lower() == "m"
    formats = {1: "%H:%M", 2: "%H:%M:%S"}
    form = formats[clock.count(":")] + (".%f" if "." in clock else "")
    if noon:
        form = form.replace("%H", "%I") + (" %p" if half[0].isspace() else "%p")
    return day, ("T" if gap == "a" else " ") + form


def _ordered(order: str, separator: str, short_year: bool) -> str:
    parts = {"d": "%d", "m": "%m", "y": "%y" if short_year else "%Y"}
    return separator.join(parts[each] for each in order)


def _word_month(day: str, example: str) -> str | None:
    """Return the format of a date with an English month name; `Apr-18` is a month."""
    words = re.findall(r"[A-Za-z]+", example)
    if not words or len(words[0]) < 3:
        return None
    name = "%b" if len(words[0]) == 3 else "%B"
    known = {
        r"a([-/ ])d": "{b}{s}%y", r"a([-/ ,]+)Y": "{b}{s}%Y", r"Y([-/ ])a": "%Y{s}{b}",
        r"d([-/ ]|\. )a\1d": "%d{s}{b}{s}%y", r"d([-/ ]|\. )a\1Y": "%d{s}{b}{s}%Y",
        r"a( )d, Y": "{b} %d, %Y", r"a( )d Y": "{b} %d %Y",
    }  # fmt: skip
    for pattern, form in known.items():
        if match := re.fullmatch(pattern, day):
            return form.format(b=name, s=match[1])
    return None


def _month_only(day: str, period: bool) -> str | None:
    if match := re.fullmatch(r"Y([-/.])d", day):
        return f"%Y{match[1]}%m"
    if day in ("Y年d月", "Y年d月份"):
        return f"%Y年%m{day[3:]}"
    if period and day == "M":
        return "%Y%m"
    if period and day in ("Y", "Y年", "Y年度"):
        return f"%Y{day[1:]}"
    return None


def _bare(value: str) -> str:
    narrow = f"lower(translate({value}, {literal(_WIDE)}, {literal(_NARROW)}))"
    noise = r"[\s\x{00A0}\x{3000}'’\"¥$€£]|人民币|rmb|cny|usd|eur|gbp|hkd|元"
    return f"regexp_replace({narrow}, {literal(noise)}, '', 'g')"


def _slow_number(value: str, *, european: bool, money: bool) -> str:
    bare = _bare(value)
    body = _EUROPEAN if european else _US
    units = "|".join(_SUFFIXES)
    percent = "" if money else "%?"
    whole = rf"^(?:[-+]?(?:{body})(?:{units})?{percent}|\((?:{body})(?:{units})?{percent}\)|(?:{body})(?:{units})?-)$"
    digits = rf"regexp_extract({bare}, '[\d.,]+')"
    digits = f"replace(replace({digits}, '.', ''), ',', '.')" if european else f"replace({digits}, ',', '')"
    factor = " ".join(f"WHEN contains({bare}, {literal(unit)}) THEN {times}" for unit, times in _SUFFIXES.items())
    sign = f"CASE WHEN contains({bare}, '-') OR starts_with({bare}, '(') THEN -1 ELSE 1 END"
    share = "" if money else f" / CASE WHEN contains({bare}, '%') THEN 100 ELSE 1 END"
    result = f"{sign} * try_cast({digits} AS DOUBLE) * CASE {factor} ELSE 1 END{share}"
    # DOUBLE holds 15 digits; money is rounded to its four decimals, so the detour changes nothing below 10^11.
    limited = f"CASE WHEN regexp_matches({bare}, {literal(whole)}) THEN {result} END"
    return f"CASE WHEN abs({limited}) < {LARGEST:.0f} THEN round({limited}, 8) END" if money else limited
