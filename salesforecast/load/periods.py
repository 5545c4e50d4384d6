"""What a header or a cell says about time: `1月`, `Jan-26`, `一季度`, `H1`, `FY26`, `合计`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from salesforecast.load.spelling import simplified

GRAINS = ("month", "quarter", "half", "year")  # the finest first
MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CHINESE = {each: number for number, each in enumerate("一二三四五六七八九十", start=1)} | {"十一": 11, "十二": 12}
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_SHORT = r"(?:fy|财年|['’])?(?P<year>(?:20)?\d\d)"
_FY = r"(?:fy|fiscal year|财年|财政年度)"
_NAMED = (
    r"(?<![a-z])(?:(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:(?<=jan)uary|(?<=feb)ruary|(?<=mar)ch|(?<=apr)il|(?<=jun)e|(?<=jul)y|(?<=aug)ust|(?<=sep)t(?:ember)?"
    r"|(?<=oct)ober|(?<=nov)ember|(?<=dec)ember)?)(?![a-z])"
)
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("month", rf"{_YEAR}[-/.](?P<n>\d{{1,2}})(?:[-/.]0?1(?:[ t]00:00(?::00)?)?)?(?!\d)"),
    ("month", r"(?<!\d)(?P<year>20\d\d)(?P<n>0[1-9]|1[0-2])(?!\d)"),
    ("month", r"(?:(?P<year>(?:20)?\d\d)年度?)?[-\s]?(?P<n>\d{1,2}|十[一二]?|[一二三四五六七八九])月份?"),
    ("month", rf"{_NAMED}[-\s.,/]*{_SHORT}(?!\d)"),
    ("month", rf"{_YEAR}[-\s.,/]*{_NAMED}"),
    ("month", _NAMED),
    ("fiscal month", r"(?<![a-z\d])[pm](?P<n>0?[1-9]|1[0-2])(?!\d)"),
    ("quarter", rf"{_SHORT}(?:年度?)?[-\s/]*(?:q(?P<n>[1-4])|(?P<n2>[1-4])q)(?![a-z\d])"),
    ("quarter", rf"(?<![a-z\d])(?:q(?P<n>[1-4])|(?P<n2>[1-4])q)(?:[-\s/]*{_SHORT})?(?![a-z\d])"),
    ("quarter", r"(?:(?P<year>(?:20)?\d\d)(?:年度?)?)?[-\s]?(?:第?(?P<n>[一二三四1-4])季度?)"),
    ("half", rf"{_SHORT}(?:年度?)?[-\s/]*(?:h(?P<n>[12])|(?P<n2>[12])h)(?![a-z\d])"),
    ("half", rf"(?<![a-z\d])(?:h(?P<n>[12])|(?P<n2>[12])h)(?:[-\s/]*{_SHORT})?(?![a-z\d])"),
    ("half", r"(?:(?P<year>(?:20)?\d\d)(?:年度?)?)?(?P<half>上半年|下半年)"),
    ("year", rf"{_FY}\s*[-']?(?P<year>(?:20)?\d\d)(?!\d)"),
    ("year", r"(?P<year>(?:20)?\d\d)(?:财年|财政年度|年度?全年|年度?)(?!\d)"),
    ("year", r"(?<![\d.])(?P<year>20\d\d)(?![\d.])"),
    ("total", r"全年合计|年度合计|全年总计|合计|总计|总和|累计"),
    ("total", r"(?<![a-z])(?:(?:grand |full year |fy |year )?total|sum|ytd)(?![a-z])"),
    ("subtotal", r"小计|(?<![a-z])sub-?\s?total(?![a-z])"),
    ("year", r"全年|年度|(?<![a-z])full[-\s]?year(?![a-z])|(?<![a-z])annual(?![a-z])|(?<![a-z])year(?![a-z])|^fy$"),
)  # fmt: skip
_COMPILED = tuple((grain, re.compile(pattern)) for grain, pattern in _PATTERNS)
_FISCAL = re.compile(rf"{_FY}|fiscal|财务年度")


@dataclass(frozen=True)
class Span:
    """A stretch of time as a header names it: the `number`-th of its grain in `year` (None: not said).

    `grain` is month, quarter, half, year, total or subtotal; `fiscal` says that the header itself speaks of a fiscal
    year; `rest` is what else the header says.
    """

    grain: str
    number: int = 1
    year: int | None = None
    fiscal: bool = False
    rest: str = ""


def span_of(text: str, first_month: int = 1) -> Span | None:
    """Return what a header says about time, or None; `P1` is the first month of the fiscal year.

    >>> [(each.grain, each.number, each.year) for each in map(span_of, ("1月", "Jan-26", "2026年一季度", "H2", "FY26"))]
    [('month', 1, None), ('month', 1, 2026), ('quarter', 1, 2026), ('half', 2, None), ('year', 1, 2026)]
    >>> span_of("合计").grain, span_of("3月目标").rest, span_of("客户")
    ('total', '目标', None)
    """
    plain = re.sub(r"[(\[（【].*?[)\]）】]", " ", simplified(text).lower()).strip()
    if not plain or len(plain) > 40:
        return None
    for grain, pattern in _COMPILED:
        found = pattern.search(plain)
        if not found:
            continue
        groups = found.groupdict()
        number = _number(groups)
        if grain in ("month", "fiscal month") and not 1 <= number <= 12:
            continue
        if grain == "fiscal month":
            number = (first_month + number - 2) % 12 + 1
        year = groups.get("year")
        rest = re.sub(r"^[\s\-_/:：.,]+|[\s\-_/:：.,]+$", "", plain[: found.start()] + " " + plain[found.end() :])
        return Span(
            "month" if grain == "fiscal month" else grain, number, _full(year) if year else None,
            bool(_FISCAL.search(plain)) or grain == "fiscal month", rest,
        )  # fmt: skip
    return None


def year_in(text: str) -> tuple[int | None, bool]:
    """Return the year that a title names, and whether it is a fiscal one.

    >>> year_in("2026年度销售目标"), year_in("Quota FY27"), year_in("目标")
    ((2026, False), (2027, True), (None, False))
    """
    plain = simplified(text).lower()
    fiscal = bool(_FISCAL.search(plain))
    found = re.search(rf"{_FY}\s*[-']?((?:20)?\d\d)(?!\d)|((?:20)?\d\d)财年", plain)
    found = found or re.search(r"(?<!\d)(20\d\d)(?!\d)()", plain) or re.search(r"(?<!\d)(\d\d)年()", plain)
    return (_full(found[1] or found[2]), fiscal) if found else (None, fiscal)


def start_of(grain: str, number: int, year: int, first_month: int = 1, *, fiscal: bool = True) -> date:
    """Return the first day of a period; `fiscal` ones belong to a fiscal year named after its end.

    >>> start_of("quarter", 1, 2026, 4), start_of("month", 4, 2026, 4), start_of("month", 4, 2026, 4, fiscal=False)
    (datetime.date(2025, 4, 1), datetime.date(2025, 4, 1), datetime.date(2026, 4, 1))
    """
    if grain == "month":
        return date(year - (fiscal and first_month > 1 and number >= first_month), number, 1)
    offset = (number - 1) * MONTHS[grain] if fiscal else (number - 1) * MONTHS[grain] - first_month + 1
    months = (first_month - 1 + offset) + 12 * (year - (fiscal and first_month > 1))
    return date(months // 12, months % 12 + 1, 1)


def covered(start: date, grain: str) -> frozenset[int]:
    """Return the months of a period, counted from year 0."""
    first = start.year * 12 + start.month - 1
    return frozenset(range(first, first + MONTHS[grain]))


def _number(groups: dict[str, str | None]) -> int:
    if name := groups.get("name"):
        return _NAMES.index(name) + 1
    if half := groups.get("half"):
        return 1 if half[0] == "上" else 2
    text = groups.get("n") or groups.get("n2") or "1"
    return int(text) if text.isdigit() else _CHINESE[text]


def _full(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)
