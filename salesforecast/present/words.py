"""Numbers, money, dates and periods as a Chinese sales director or a CFO writes them, and sentences made of them."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING, Any

from salesforecast.errors import BadValue, lookup
from salesforecast.present.labels import full_width, has_label, label

if TYPE_CHECKING:
    from salesforecast.settings import Settings

MINUS = "−"  # U+2212, as wide as a plus
DASH = "—"
FACTORS = {"元": 1, "1": 1, "K": 1_000, "万元": 10_000, "M": 1_000_000, "亿元": 100_000_000}
# A bilingual company chooses 万元 once; its English edition then speaks of thousands, not of ten-thousands.
_IN_ENGLISH = {10_000: 1_000, 100_000_000: 1_000_000}
_SCALES = {
    "zh": {1: "", 1_000: "千", 10_000: "万", 1_000_000: "百万", 100_000_000: "亿"},
    "en": {1: "", 1_000: "K", 1_000_000: "M"},
}
# From which amount on a sentence uses a unit: 16,428 元 says more than 1.6 万元.
_SPOKEN = {
    "zh": ((100_000_000, 100_000_000), (100_000, 10_000)),
    "en": ((1_000_000, 1_000_000), (10_000, 1_000)),
}
PAGE_UNITS = {"zh": (100_000_000, 10_000, 1), "en": (1_000_000, 1_000, 1)}
_QUARTERS = {"zh": ("一季度", "二季度", "三季度", "四季度"), "en": ("Q1", "Q2", "Q3", "Q4")}


@dataclass(frozen=True)
class Words:
    """How one edition writes figures: its language, its money unit, its fiscal year.

    `factor` is the money unit of tables and charts (10 000 = 万元); `fixed` says that the company chose it, so
    that sentences use it too instead of the handiest unit; a fiscal year starts in `first_month`.

    >>> zh, en = Words("zh"), Words("en", factor=1_000)
    >>> zh.money(12_340_000), en.money(12_340_000), zh.money(None)
    ('1,234 万元', 'CNY 12.3M', '暂无数据')
    >>> zh.change(-0.123), zh.points(0.032), en.points(0.032), zh.period("2026-Q4"), en.period("2026-10")
    ('−12.3%', '+3.2 个百分点', '+3.2 pp', '2026年四季度', 'Oct 2026')
    """

    language: str = "zh"
    currency: str = "CNY"
    factor: int = 10_000
    decimals: int = 1
    fixed: bool = False
    first_month: int = 1

    @classmethod
    def of(cls, settings: Settings, language: str, typical: float | None = None) -> Words:
        """Return the words of a company; without a chosen unit, one that fits a `typical` monthly amount.

        >>> from salesforecast.settings import Settings
        >>> Words.of(Settings(), "zh", typical=8_000).unit, Words.of(Settings(), "zh", typical=2e6).unit
        ('元', '万元')
        """
        words = cls(
            language,
            settings.currency.base,
            decimals=settings.currency.decimals,
            first_month=settings.fiscal.year_start_month,
        )
        chosen = settings.currency.display
        if chosen is not None:
            factor = FACTORS[chosen]
            factor = _IN_ENGLISH.get(factor, factor) if language == "en" else factor
            return replace(words, factor=factor, fixed=True)
        return replace(words, factor=_fitting(language, typical))

    @property
    def unit(self) -> str:
        """The money unit of tables and charts: 万元, CNY K."""
        return self.unit_of(self.factor)

    def unit_of(self, factor: int) -> str:
        """Return the name of a money unit."""
        scale = _SCALES[self.language][factor]
        if self.language == "en":
            return f"{self.currency} {scale}".strip()
        return scale + ("元" if self.currency == "CNY" else _currency_name(self.currency))

    def number(self, value: Any, decimals: int | None = None) -> str:
        """Return a plain number; without `decimals`, whole from 100 on and for whole values, else one.

        >>> Words().number(-1234.5), Words().number(3.14159), Words().number(float("nan"))
        ('−1,234', '3.1', '暂无数据')
        """
        if missing(value):
            return self.word("missing")
        if decimals is None:
            decimals = 0 if abs(value) >= 100 or float(value).is_integer() else 1
        return digits(float(value), decimals)

    def signed(self, value: Any, decimals: int | None = None) -> str:
        """Return a plain number with its sign, also when positive."""
        return self.word("missing") if missing(value) else _plus(self.number(value, decimals))

    def cell(self, value: Any) -> str:
        """Return money for a table cell or a bar: in the unit of the page, which the header names.

        >>> Words().cell(12_345_678), Words().cell(None)
        ('1,234.6', '—')
        """
        decimals = self.decimals if self.factor > 1 else 0
        return DASH if missing(value) else digits(float(value) / self.factor, decimals)

    def money(self, value: Any) -> str:
        """Return money with its unit, for prose: short enough to say aloud."""
        if missing(value):
            return self.word("missing")
        value = float(value)
        factor = self.factor
        if not self.fixed:
            factor = next((unit for least, unit in _SPOKEN[self.language] if abs(value) >= least), 1)
        scaled = value / factor
        places = 0 if abs(scaled) >= 100 or factor == 1 else 2 if factor == 100_000_000 else max(self.decimals, 1)
        text = digits(scaled, places)
        if self.language == "zh":
            return f"{text} {self.unit_of(factor)}"
        sign = MINUS if text.startswith(MINUS) else ""
        return f"{sign}{self.currency} {text.removeprefix(MINUS)}{_SCALES['en'][factor]}"

    def between(self, low: str, high: str) -> str:
        """Return the range between two written values; a unit that both have is written once.

        >>> Words("zh").between("120 万元", "156 万元"), Words("en").between("CNY 1.2M", "CNY 1.6M")
        ('120–156 万元', 'CNY 1.2M to CNY 1.6M')
        """
        number, _, unit = low.partition(" ")
        if self.language == "zh" and unit and high.endswith(f" {unit}"):
            low = number
        return self.word("between").format(low=low, high=high)

    def signed_money(self, value: Any) -> str:
        """Return money with its sign, also when positive."""
        return self.word("missing") if missing(value) else _plus(self.money(value))

    def punctuated(self, text: str) -> str:
        """Return a text of the code (a model's assumptions) with the punctuation of its language.

        >>> Words("zh").punctuated("Theta 法(对数)")
        'Theta 法（对数）'
        """
        return full_width(text) if self.language == "zh" else text

    def percent(self, value: Any, decimals: int = 1) -> str:
        """Return a share (0.123) as a percentage (12.3%)."""
        return self.word("missing") if missing(value) else digits(float(value) * 100, decimals) + "%"

    def chance(self, value: Any) -> str:
        """Return a probability in whole percent; nothing about a company is certain to the last one.

        >>> Words("zh").chance(0.004), Words("en").chance(0.34), Words("en").chance(1.0)
        ('不到 1%', 'about 34%', 'over 99%')
        """
        if missing(value):
            return self.word("missing")
        shown = min(max(float(value), 0.01), 0.99)
        return (
            f"{self.word('under' if value < shown else 'over' if value > shown else 'about')} {self.percent(shown, 0)}"
        )

    def change(self, value: Any, decimals: int = 1) -> str:
        """Return a relative change with its sign: +12.3%."""
        return self.word("missing") if missing(value) else _plus(self.percent(value, decimals))

    def points(self, value: Any) -> str:
        """Return a difference of shares in percentage points: +3.2 个百分点, +3.2 pp."""
        if missing(value):
            return self.word("missing")
        return f"{_plus(digits(float(value) * 100, 1))} {self.word('points')}"

    def date(self, value: Any) -> str:
        """Return a day: 2026年10月31日, 31 Oct 2026."""
        from babel.dates import format_date

        if missing(value):
            return self.word("missing")
        return format_date(_day(value), "y年M月d日" if self.language == "zh" else "d MMM y", locale=self.language)

    def short_date(self, value: Any) -> str:
        """Return a day without its year, for a chart: 10月31日, 31 Oct."""
        from babel.dates import format_date

        return format_date(_day(value), "M月d日" if self.language == "zh" else "d MMM", locale=self.language)

    def period(self, value: Any, grain: str = "month") -> str:
        """Return a period, given by its id or by its first day and grain.

        >>> [Words("zh", first_month=4).period(each) for each in ("2026-10", "2026-Q1", "2026", "2026-W07")]
        ['2026年10月', '2026财年一季度', '2026财年', '2026年第7周']
        >>> Words("en").period("2026-10-ytd"), Words("en").period(datetime.date(2026, 10, 1), "quarter")
        ('2026 to Oct', 'Q4 2026')
        """
        if missing(value):
            return self.word("missing")
        if not isinstance(value, str):
            return self._period_of_day(_day(value), grain)
        name, to_date, _ = value.partition("-ytd")
        if to_date and not name.isdigit():
            return self._to_date(name)
        if re.fullmatch(r"\d{4}", name):
            return self._year(int(name))
        if re.fullmatch(r"\d{4}-Q[1-4]", name):
            return self._quarter(int(name[:4]), int(name[-1]))
        if re.fullmatch(r"\d{4}-W\d{2}", name):
            return self.word("week").format(year=name[:4], week=int(name[6:]))
        if re.fullmatch(r"\d{4}-\d{2}", name):
            return self._month(datetime.date.fromisoformat(f"{name}-01"))
        if re.fullmatch(r"\d{4}-\d{2}~\d{2}", name):
            return self._months(int(name[:4]), int(name[5:7]), int(name[8:]))
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name):
            return self.date(name)
        return value

    def span(self, first: Any, last: Any, grain: str = "month") -> str:
        """Return the words for all periods from first to last.

        >>> Words("en").span("2026-01-01", "2026-10-01")
        'Jan 2026–Oct 2026'
        """
        names = [self.period(_day(each), grain) for each in (first, last)]
        return names[0] if names[0] == names[1] else "–".join(names)

    def word(self, key: str) -> str:
        """Return a word of the `word` group of labels."""
        return label("word", key, self.language)

    def format(self, value: Any, form: str) -> str:
        """Return one value in one of the `FORMATS`; an empty form writes text as it is and numbers as numbers.

        Raises `UnknownName` for any other form.
        """
        if not form:
            form = "member" if isinstance(value, str) else "number"
        return lookup(FORMATS, form, "format")(self, value)

    def sentence(self, template: str, values: Mapping[str, Any]) -> str:
        """Return the template with its `{name:format}` fields filled.

        Raises `BadValue` when a field has no value at all; None and NaN are written as words.

        >>> Words("zh").sentence("{who}签约 {value:money},同比 {yoy:signed_pct}。",
        ...                      {"who": "华东", "value": 5e6, "yoy": -0.12})
        '华东签约 500 万元,同比 −12.0%。'
        """
        parts = []
        for text, name, form, _ in Formatter().parse(template):
            parts.append(text)
            if name is not None:
                if name not in values:
                    raise BadValue(
                        f"The sentence {template!r} needs a value {name!r}; given: {', '.join(values) or 'none'}."
                    )
                parts.append(self.format(values[name], form or ""))
        return "".join(parts)

    def _period_of_day(self, day: datetime.date, grain: str) -> str:
        shift = (day.month - self.first_month) % 12
        year = day.year + (self.first_month > 1 and day.month >= self.first_month)
        if grain == "day":
            return self.date(day)
        if grain == "week":
            iso = day.isocalendar()
            return self.word("week").format(year=iso.year, week=iso.week)
        if grain == "quarter":
            return self._quarter(year, shift // 3 + 1)
        return self._year(year) if grain == "year" else self._month(day)

    def _month(self, day: datetime.date) -> str:
        from babel.dates import format_date

        return format_date(day, "y年M月" if self.language == "zh" else "MMM y", locale=self.language)

    def _months(self, year: int, first: int, last: int) -> str:
        from babel.dates import get_month_names

        if self.language == "zh":
            return f"{year}年{first}–{last}月"
        names = get_month_names("abbreviated", locale="en")
        return f"{names[first]}–{names[last]} {year}"

    def _quarter(self, year: int, quarter: int) -> str:
        name = _QUARTERS[self.language][quarter - 1]
        return f"{self._year(year)}{name}" if self.language == "zh" else f"{name} {self._year(year)}"

    def _year(self, year: int) -> str:
        return self.word("fiscal_year" if self.first_month > 1 else "year").format(year=year)

    def _to_date(self, name: str) -> str:
        from babel.dates import format_date

        if not re.fullmatch(r"\d{4}-\d{2}", name):
            return self.word("to_date").format(year=self.period(name[:4]), until=self.period(name))
        day = datetime.date.fromisoformat(f"{name}-01")
        until = f"{day.month}月" if self.language == "zh" else format_date(day, "MMM", locale="en")
        year = day.year + (self.first_month > 1 and day.month >= self.first_month)
        return self.word("to_date").format(year=self._year(year), until=until)


def missing(value: Any) -> bool:
    """Say whether a value is unknown: None, NaN, NaT, or not finite.

    >>> missing(None), missing(float("nan")), missing(0)
    (True, True, False)
    """
    if value is None:
        return True
    if isinstance(value, str):
        return False
    try:
        return not math.isfinite(value)
    except TypeError:  # a date, or one of pandas' missing values
        return str(value) in ("NaT", "<NA>")


def digits(value: float, decimals: int) -> str:
    """Return a number with thousands separators and a real minus sign; a rounded zero has no sign.

    >>> digits(-1234.56, 1), digits(-0.04, 1)
    ('−1,234.6', '0.0')
    """
    text = f"{abs(value):,.{decimals}f}"
    return MINUS + text if value < 0 and text.strip("0.,") else text


def _plus(text: str) -> str:
    return text if text.startswith(MINUS) or not re.search("[1-9]", text) else "+" + text


def _fitting(language: str, typical: float | None) -> int:
    """Return the money unit in which a typical monthly amount has one to six digits before the point."""
    size = 1e6 if missing(typical) or typical is None else abs(float(typical))
    if size < 10_000:
        return 1
    if language == "zh":
        return 10_000 if size < 1e10 else 100_000_000
    return 1_000 if size < 1e7 else 1_000_000


def _day(value: Any) -> datetime.date:
    if isinstance(value, str):
        return datetime.date.fromisoformat(value[:10])
    if isinstance(value, datetime.datetime):
        return value.date()
    return value if isinstance(value, datetime.date) else datetime.date.fromisoformat(str(value)[:10])


@cache
def _currency_name(code: str) -> str:
    from babel.numbers import get_currency_name

    return get_currency_name(code, locale="zh")


def _member(words: Words, value: Any) -> str:
    return words.word("missing") if missing(value) or value == "" else str(value)


def _measure(words: Words, value: Any) -> str:
    return measure_name(str(value), words.language)


def measure_name(name: str, language: str) -> str:
    """Return the name of a measure in a language; a measure that is not registered keeps its own name.

    >>> measure_name("no_such_measure", "zh")
    'no_such_measure'
    """
    from salesforecast.measures import MEASURES

    if name in MEASURES:
        return MEASURES[name].zh if language == "zh" else MEASURES[name].en
    return label("column", name, language) if has_label("column", name) else name


FORMATS: dict[str, Callable[[Words, Any], str]] = {
    "money": Words.money,
    "signed_money": Words.signed_money,
    "pct": Words.percent,
    "chance": Words.chance,
    "signed_pct": Words.change,
    "points": Words.points,
    "int": lambda words, value: words.number(value, 0),
    "signed_int": lambda words, value: words.signed(value, 0),
    "number": Words.number,
    "date": Words.date,
    "period": Words.period,
    "member": _member,
    "measure": _measure,
}
