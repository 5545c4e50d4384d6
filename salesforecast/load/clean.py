r"""The one cleaner: SQL expressions that turn the text of an export into numbers, dates, flags and codes.

Each function takes an SQL expression of text and returns one of the wanted type; what cannot be read becomes null.
Plain values take a fast path (`try_cast`), only the others pay for the slow one. Decisions that need a whole column
(day or month first, decimal commas, percent) are made once by `profile_numbers` and `profile_dates` and passed in.

========== ==============================================================================================
numbers    `¥1,234.50`, `１２３`, `1.2万`, `3.5亿`, `(1,234)`, `12-`, `12.5%`; `1.234,56` where a column is European
           `3.2k`, `1.5M`, `HK$ 7`; Chinese numerals (`壹万`) are not read
null       blank, `-`, `--`, `—`, `/`, `null`, `None`, `NaN`, `N/A`, `无`, `(blank)`, errors such as `#N/A`, `#REF!`
dates      ISO, `2026/1/5`, `2026.01.05`, `2026年1月5日`, `20260105`, Excel serials, `5-Jan-26`, with or without a time;
           seconds or milliseconds since 1970; day or month first as the column's impossible values decide; two-digit
           years: 69 is 1969, 68 is 2068
months     `2026-10`, `2026年10月`, `202610`, `Apr-18` (always a month, never 18 April), `2026-Q4`, `2026`
flags      是/否, 有/无, Y/N, true/false, 1/0
========== ==============================================================================================

`date` keeps the wall clock of the export, and turns a time with an offset (`+08:00`, `Z`) into UTC; `staging` knows the
company's time zone and makes the one or the other of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from salesforecast.engine import Engine, literal, quote
from salesforecast.errors import AmbiguousMapping, BadInput
from salesforecast.schema import Kind

SPACES = " \t\r\n\u00a0\u3000\ufeff\u200b"
BLANKS = (
    "", "-", "--", "---", "–", "—", "——", "/", "\\N", "null", "NULL", "Null", "(null)", "None", "none", "NaN", "nan",
    "NaT", "N/A", "n/a", "无", "暂无", "空", "(空)", "（空）", "(空白)", "(blank)",
    "#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!",
)  # fmt: skip
_LONGEST_BLANK = max(len(each.encode()) for each in BLANKS)
_EDGES = r"^[\s\x{00A0}\x{3000}\x{FEFF}\x{200B}]|[\s\x{00A0}\x{3000}\x{FEFF}\x{200B}]$"
SCALES = {
    "元": 1, "百元": 100, "千元": 1e3, "千": 1e3, "k": 1e3, "万元": 1e4, "万": 1e4, "百万": 1e6, "百万元": 1e6,
    "m": 1e6, "million": 1e6, "thousand": 1e3, "千万": 1e7, "千万元": 1e7, "亿元": 1e8, "亿": 1e8,
}  # fmt: skip
TRUE = ("是", "有", "y", "yes", "true", "t", "1", "√", "✓", "✔", "☑", "对", "on", "通过", "真", "已退", "returned")
FALSE = ("否", "无", "n", "no", "false", "f", "0", "×", "✗", "✘", "☐", "错", "off", "未通过", "不通过", "假")
LARGEST = 1e14  # what money columns can hold; beyond it a number is damaged text

_WIDE = "０１２３４５６７８９．，－−–＋（）％￥＄：／"
_NARROW = "0123456789.,---+()%¥$:/"
_US = r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}|\d+)(?:\.\d*)?|\.\d+"
_EUROPEAN = r"(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?"
_SAMPLE_ROWS = 10_000
_SUFFIXES = {
    "万亿": "1e12", "百亿": "1e10", "十亿": "1e9", "亿": "1e8", "千万": "1e7", "百万": "1e6", "十万": "1e5",
    "万": "1e4", "千": "1e3", "w": "1e4", "thousand": "1e3", "k": "1e3", "million": "1e6", "mio": "1e6", "mn": "1e6",
    "mm": "1e6", "m": "1e6", "billion": "1e9", "bn": "1e9",
}  # fmt: skip


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
    negative: int = 0
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
    epochs: bool = False
    mixed: bool = False
    note: str | None = None


def text(value: str, *, tidy: bool = False) -> str:
    """Return SQL for trimmed text, null when there is nothing in it; leading zeros stay.

    `tidy` says that no value begins or ends with a space.
    """
    if tidy:
        return f"CASE WHEN {_is_blank(value)} THEN NULL ELSE {value} END"
    # Trimming is ten times the price of looking whether there is anything to trim.
    trimmed = f"trim({value}, {literal(SPACES)})"
    return (
        f"CASE WHEN {_is_blank(value)} THEN NULL WHEN NOT regexp_matches({value}, {literal(_EDGES)}) "
        f"THEN {value} WHEN {_is_blank(trimmed)} THEN NULL ELSE {trimmed} END"
    )


def filled(value: str, *, tidy: bool = False) -> str:
    """Return SQL that is true where the text says anything at all."""
    return f"({value} IS NOT NULL AND NOT {_is_blank(value)})" if tidy else f"({text(value)} IS NOT NULL)"


def damaged(value: str) -> str:
    """Return SQL that is true for an id like `1.21143E+15`: a spreadsheet made a number of it and lost digits."""
    return (
        f"CASE WHEN {value} < ':' AND contains({value}, '+') "
        f"THEN regexp_full_match({value}, '\\d(\\.\\d+)?[eE]\\+\\d+') ELSE false END"
    )


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
    return f"CASE WHEN {_one_of(word, TRUE)} THEN true WHEN {_one_of(word, FALSE)} THEN false END"


def code(
    value: str, codes: Mapping[str, str], *, keep_unknown: bool = False, seen: Mapping[str, str | None] | None = None
) -> str:
    """Return SQL for the canonical code of an enumeration; unknown text is null, or stays with `keep_unknown`.

    `seen` gives texts whose codes are known already, which saves their normalisation.
    """
    word = f"regexp_replace(lower({value}), '[^\\w%\\p{{Han}}]|_', '', 'g')"
    cases = " ".join(f"WHEN {literal(alias)} THEN {literal(canonical)}" for alias, canonical in codes.items())
    otherwise = text(value) if keep_unknown else "NULL"
    if not codes:
        return otherwise
    read = f"CASE {word} {cases} ELSE {otherwise} END"
    if not seen:
        return read
    known = " ".join(f"WHEN {literal(each)} THEN {literal(code) if code else 'NULL'}" for each, code in seen.items())
    return f"CASE {value} {known} ELSE {read} END"


def date(value: str, dates: Dates) -> str:
    """Return SQL for a TIMESTAMP, read the way `dates` says."""
    narrow = _narrow(value)
    reads = []
    if dates.iso:
        guarded = f"CASE WHEN regexp_matches({narrow}, '^\\d{{4}}-\\d') THEN {narrow} END" if dates.mixed else narrow
        iso = f"try_cast({guarded} AS TIMESTAMP)"
        if dates.offsets:
            bare = f"regexp_replace({guarded}, '(Z|[+-]\\d\\d(?::?\\d\\d)?)$', '')"
            parts = [
                f"regexp_extract({guarded}, ':\\d\\d.*?([+-])(\\d\\d)(?::?(\\d\\d))?$', {part})" for part in (1, 2, 3)
            ]
            minutes = " + ".join(
                f"coalesce(try_cast({part} AS BIGINT), 0) * {times}"
                for part, times in zip(parts[1:], (60, 1), strict=True)
            )
            sign = f"CASE WHEN {parts[0]} = '-' THEN 1 ELSE -1 END"
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
    if dates.epochs:
        number = f"try_cast({narrow} AS DOUBLE)"
        seconds = f"CASE WHEN {number} >= 1e11 THEN {number} / 1000 ELSE {number} END"
        reads.append(f"CASE WHEN {number} >= 1e8 THEN TIMESTAMP '1970-01-01' + to_seconds({seconds}) END")
    if not reads:
        return "CAST(NULL AS TIMESTAMP)"
    return f"coalesce({', '.join(reads)})" if len(reads) > 1 else reads[0]


def without_placeholders(read: str) -> str:
    """Return SQL for a time that is null in the years 1 and 9999, by which systems mean "not yet" and "for ever"."""
    return f"CASE WHEN {read} >= TIMESTAMP '1900-01-01' AND {read} < TIMESTAMP '2200-01-01' THEN {read} END"


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
    if not columns:
        return {}
    parts = {name: plain_counts(quote(source), kind, name) for name, (source, kind) in columns.items()}
    row = engine.rows(f"SELECT {', '.join(part for each in parts.values() for part in each)} FROM {relation}")[0]
    values = iter(row)
    counts = {name: [next(values) for _ in each] for name, each in parts.items()}
    return numbers_of(engine, relation, columns, counts)


def plain_counts(value: str, kind: Kind, name: str) -> list[str]:
    """Return the aggregates from which `numbers_of` knows whether a column holds bare numbers only.

    How small the numbers are matters only where a column can be percent.
    """
    read = number(value, kind, plain=True)
    # CASE, because AND would ask of every value whether it is filled.
    unreadable = f"CASE WHEN {read} IS NOT NULL THEN false ELSE {filled(value)} END"
    parts = [f"count({read})", f"count(*) FILTER ({unreadable})", f"count(*) FILTER ({read} < 0)"]
    if kind == "share" or name == "discount":
        parts += [f"count(*) FILTER ({read} {span})" for span in ("= 0", "= 1", f"> 0 AND {read} < 1", "> 1")]
    return parts


def numbers_of(
    engine: Engine, relation: str, columns: Mapping[str, tuple[str, Kind]], counts: Mapping[str, list[int]]
) -> dict[str, Numbers]:
    """Return what the counts of `plain_counts` say; only columns that hold more pay for the slow reading."""
    result = {}
    for name, (read, unreadable, negative, *spans) in counts.items():
        zeros, ones, fractions, above = spans or (0, 0, 0, 0)
        result[name] = Numbers(
            filled=read + unreadable, unreadable=unreadable, negative=negative,
            zeros=zeros, ones=ones, fractions=fractions, above_one=above,
        )  # fmt: skip
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
    inner, counts = [], []
    for position, (value, read) in enumerate(columns.values()):
        inner.append(f"{text(value)} AS v{position}, {read} AS n{position}")
        v, n = f"v{position}", f"n{position}"
        counts.append(
            f"count({v}), count(*) FILTER ({v} IS NOT NULL AND {n} IS NULL), count(*) FILTER ({n} = 0), "
            f"count(*) FILTER ({n} = 1), count(*) FILTER ({n} > 0 AND {n} < 1), count(*) FILTER ({n} > 1), "
            f"count(*) FILTER (contains({v}, '%') OR contains({v}, '％')), count(*) FILTER ({n} < 0), "
            f"min({v}) FILTER ({n} IS NULL)"
        )
    row = engine.rows(f"SELECT {', '.join(counts)} FROM (SELECT {', '.join(inner)} FROM {relation})")[0]
    return {name: Numbers(*row[position * 9 : position * 9 + 9]) for position, name in enumerate(columns)}


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
    return _Shapes(label, order, period).read(_shapes(engine, relation, column))


def sampled_dates(
    engine: Engine, relation: str, column: str, *, label: str, order: str | None = None, period: bool = False
) -> tuple[Dates, str] | None:
    """Look at the first rows of a column only; returns what they say and SQL that is true for a value unlike them.

    When no value is unlike them, a look at the whole column would say the same. None when the order of day and month
    depends on all values.
    """
    if order and "%" in order:
        return Dates(formats=(order,), note=f"read as {order}"), "false"
    shapes = _shapes(engine, f"(SELECT {quote(column)} FROM {relation} LIMIT {_SAMPLE_ROWS})", column)
    if not shapes or len(shapes) > 10:
        return None
    look = _Shapes(label, order, period)
    try:
        found = look.read(shapes)
    except BadInput:
        return None
    if look.by_values:
        return None
    value = quote(column)
    if found == Dates(iso=True) and [shape for shape, *_ in shapes] == ["9999-99-99"]:
        known = f"{value} LIKE '____-__-__' AND try_cast({value} AS DATE) IS NOT NULL"
        return found, f"CASE WHEN {known} THEN false ELSE {filled(value)} END"
    patterns = "|".join(re.escape(shape).replace("9", r"\d").replace("a", "[A-Za-z]+") for shape, *_ in shapes)
    return found, f"CASE WHEN regexp_full_match({value}, {literal(patterns)}) THEN false ELSE {filled(value)} END"


def _shapes(engine: Engine, relation: str, column: str) -> list[tuple]:
    """Return the shapes of the values (`9999-99-99`), each with an example and the spans of its numbers."""
    numbers = [f"try_cast(regexp_extract(t, '^(\\d+)\\D+(\\d+)\\D+(\\d+)', {part}) AS BIGINT)" for part in (1, 2, 3)]
    return engine.rows(
        f"SELECT regexp_replace(regexp_replace(t, '\\d', '9', 'g'), '[A-Za-z]+', 'a', 'g') AS shape, min(t), sum(n), "
        f"min({numbers[0]}), max({numbers[0]}), max({numbers[1]}), min({numbers[2]}), max({numbers[2]}) FROM ("
        f"SELECT {_narrow('v')} AS t, n FROM (SELECT {quote(column)} AS v, count(*) AS n FROM {relation} GROUP BY 1) "
        f"WHERE {filled('v')}) GROUP BY shape ORDER BY shape LIMIT 500"
    )


class _Shapes:
    """Turns the shapes of a column (`9999-99-99`) into formats; keeps what was seen of day and month."""

    def __init__(self, label: str, order: str | None, period: bool) -> None:
        self.label, self.order, self.period = label, order, period
        self.by_values = False  # whether the order of day and month was decided by the values

    def read(self, shapes: list[tuple]) -> Dates:
        formats: dict[str, None] = {}
        notes: dict[str, None] = {}
        serials = iso = offsets = epochs = False
        trailing: dict[str, list[tuple]] = {}
        for shape, example, _, *spans in shapes:
            short = re.sub(r"9+", _run, shape)
            day, time = _split_time(short, example)
            if day is None:
                continue
            if re.fullmatch(r"Y-d-d", day) and time is not None:
                iso = True
                offsets = offsets or bool(re.search(r"(Z|[+-]\d\d(:?\d\d)?)$", example[10:]))
            elif match := re.fullmatch(r"Y([-/.])d\1d", day):
                formats[f"%Y{match[1]}%m{match[1]}%d{time}"] = None
            elif day == "Y年d月d日":
                formats[f"%Y年%m月%d日{time}"] = None
            elif day == "D" and not time:
                formats["%Y%m%d"] = None
            elif re.fullmatch(r"S(\.[a-zA-Z]+)?", day) and not time:
                serials = True
            elif day in ("E", "L") and not time:
                epochs = offsets = True
                notes["seconds since 1970" if day == "E" else "milliseconds since 1970"] = None
            elif match := re.fullmatch(r"(Y年d月d日|Y([-/.])d\2d)(\s?)d时d分(d秒)?", short):
                form = f"%Y{match[2]}%m{match[2]}%d" if match[2] else "%Y年%m月%d日"
                formats[f"{form}{match[3]}%H时%M分{'%S秒' if match[4] else ''}"] = None
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
        return Dates(tuple(formats), serials, iso, offsets, epochs, len(shapes) > 1, ", ".join(notes) or None)

    def _order(self, key: str, seen: list[tuple]) -> str:
        """Decide between day first and month first by values that cannot be a month."""
        if self.order:
            return self.order
        self.by_values = True
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
    return {1: "d", 2: "d", 4: "Y", 5: "S", 6: "M", 8: "D", 10: "E", 13: "L"}.get(len(match[0]), "N")


def _split_time(shape: str, example: str) -> tuple[str | None, str]:
    """Split a shape into its day part and the format of its time (with the separator before it)."""
    match = re.fullmatch(r"(.*?\S)?(?:(\s+|a)(d:d(?::d(?:\.[dYSMDNEL]+)?)?)(\s*a)?(?:\s?[+-](?:d:?d|Y|d))?)", shape)
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
        r"a([-/ ])d\1d": "{b}{s}%d{s}%y", r"a([-/ ])d\1Y": "{b}{s}%d{s}%Y",
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


def _is_blank(value: str) -> str:
    """Return SQL that is true for a word that stands for nothing; most ids and names cost two comparisons."""
    # No such word begins in between, in the order of UTF-8.
    spans = (("0", "N"), ("O", "["), ("a", "n"), ("o", "{"), ("一", "无"), ("旡", "暂"), ("暃", "空"), ("穻", "（"))
    usual = " ".join(f"WHEN {value} >= '{first}' AND {value} < '{end}' THEN false" for first, end in spans)
    return f"CASE {usual} WHEN strlen({value}) > {_LONGEST_BLANK} THEN false ELSE {_one_of(value, BLANKS)} END"


def _one_of(value: str, texts: Sequence[str]) -> str:
    """Return SQL that compares with a few texts; DuckDB would make a join of an IN, for every column it is used on."""
    return f"CASE {value} {' '.join(f'WHEN {literal(each)} THEN true' for each in texts)} ELSE false END"


def _narrow(value: str) -> str:
    """Return SQL for the value with full-width digits and signs made narrow, trimmed; plain ASCII passes untouched."""
    tight = f"{value} >= '!' AND NOT suffix({value}, ' ') AND NOT suffix({value}, chr(9))"
    plain = f"strlen({value}) = length({value}) AND {tight}"
    return (
        f"CASE WHEN {plain} THEN {value} "
        f"ELSE trim(translate({value}, {literal(_WIDE)}, {literal(_NARROW)}), {literal(SPACES)}) END"
    )


def _bare(value: str) -> str:
    # Translating is dear, and only what is not ASCII needs it.
    wide = f"translate({value}, {literal(_WIDE)}, {literal(_NARROW)})"
    narrow = f"lower(CASE WHEN strlen({value}) = length({value}) THEN {value} ELSE {wide} END)"
    noise = (
        r"[\s\x{00A0}\x{2007}\x{2009}\x{202F}\x{3000}\x{FEFF}\x{200B}'’\"¥€£₩₹]|(?:hk|us|nt|au|ca|sg|mx|a|c|r|s)?\$"
        r"|人民币|港币|美元|欧元|rmb|cny|usd|eur|gbp|hkd|twd|ntd|jpy|sgd|aud|cad|chf|元"
    )
    return f"regexp_replace({narrow}, {literal(noise)}, '', 'g')"


def _slow_number(value: str, *, european: bool, money: bool) -> str:
    bare = _bare(value)
    body = _EUROPEAN if european else _US
    units = "|".join(_SUFFIXES)
    percent = "" if money else "%?"
    whole = rf"^(?:[-+]?(?:{body})(?:{units})?{percent}|\((?:{body})(?:{units})?{percent}\)|(?:{body})(?:{units})?-)$"
    digits = rf"regexp_extract({bare}, '[\d.,]+')"
    digits = f"replace(replace({digits}, '.', ''), ',', '.')" if european else f"replace({digits}, ',', '')"
    factor = f"CASE regexp_extract({bare}, '[^\\d.,()%+-]+')"
    factor += "".join(f" WHEN {literal(unit)} THEN {times}" for unit, times in _SUFFIXES.items()) + " ELSE 1 END"
    sign = f"CASE WHEN contains({bare}, '-') OR starts_with({bare}, '(') THEN -1 ELSE 1 END"
    share = "" if money else f" / CASE WHEN contains({bare}, '%') THEN 100 ELSE 1 END"
    result = f"{sign} * try_cast({digits} AS DOUBLE) * {factor}{share}"
    # DOUBLE holds 15 digits; money is rounded to its four decimals, so the detour changes nothing below 10^11.
    limited = f"CASE WHEN regexp_matches({bare}, {literal(whole)}) THEN {result} END"
    return f"CASE WHEN abs({limited}) < {LARGEST:.0f} THEN round({limited}, 8) END" if money else limited
