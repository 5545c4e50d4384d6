"""The company's calendar: fiscal periods, workdays with 调休, Spring Festival, and which period compares with which.

A calendar is a small frozen value; days, weeks (ISO) and months are those of the wall calendar, quarters and years
are fiscal. Years are looked up once and kept as arrays, so that asking again costs nothing.
"""

from __future__ import annotations

import calendar as months
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from salesforecast.errors import BadValue, suggestion

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Day: TypeAlias = "date | datetime | pd.Timestamp | str"

# Where the lunar new year stops business.
LUNAR_NEW_YEAR = frozenset(("CN", "HK", "MO", "TW", "SG", "MY", "VN", "KR"))
_ONE = timedelta(days=1)
_FIRST_YEAR, _LAST_YEAR = 1900, 2200  # beyond lies a typing error, not a sales period
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_FORMS = {
    "day": re.compile(r"(\d{4})-(\d{2})-(\d{2})"),
    "week": re.compile(r"(\d{4})-?W(\d{2})"),
    "month": re.compile(r"(\d{4})-(\d{2})"),
    "quarter": re.compile(r"(\d{4})-?Q([1-4])"),
    "year": re.compile(r"(\d{4})"),
}
_DERIVED = re.compile(r"(.+)-(ytd|rolling(\d+))", re.IGNORECASE)

# `holidays` and `chinesecalendar` spell the same festivals differently; the latter's names are used throughout.
_CHINESE_FESTIVALS = {
    "Chinese New Year": "Spring Festival",
    "Tomb-Sweeping Day": "Tomb-sweeping Day",
    "Labor Day": "Labour Day",
    "Mid-Autumn Festival": "Mid-autumn Festival",
}
_SPRING_FESTIVAL_DAY = "Chinese New Year (Spring Festival)"


@dataclass(frozen=True)
class Period:
    """A stretch of days with a name: `start` and `end` are both part of it.

    >>> october = Period("month", date(2026, 10, 1), date(2026, 10, 31), "2026-10")
    >>> october.days, date(2026, 10, 31) in october, "2026-11-01" in october
    (31, True, False)
    """

    grain: str
    start: date
    end: date
    id: str

    @property
    def days(self) -> int:
        """Number of days, holidays and weekends included."""
        return (self.end - self.start).days + 1

    def __contains__(self, day: Day) -> bool:
        return self.start <= as_day(day) <= self.end

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class Calendar:
    """Whose holidays count, when the fiscal year starts, and whether Spring Festival matters.

    `country` is an ISO code; a fiscal year is named after the calendar year it ends in. Raises `BadValue` for an
    unknown country or a month outside 1 to 12.

    >>> india = Calendar("IN", first_month=4)
    >>> india.parse("2027-Q1").start, india.parse("2027").end
    (datetime.date(2026, 4, 1), datetime.date(2027, 3, 31))
    """

    country: str = "CN"
    first_month: int = 1
    lunar_new_year: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.first_month <= 12:
            raise BadValue(f"The fiscal year must start in month 1 to 12, got {self.first_month}.")
        if self.country != "CN":
            _check_country(self.country)

    @classmethod
    def of(cls, settings: Any) -> Calendar:
        """Return the calendar that validated `Settings` describe.

        >>> from salesforecast.settings import Settings
        >>> Calendar.of(Settings())
        Calendar(country='CN', first_month=1, lunar_new_year=True)
        """
        lunar = settings.calendar.lunar_new_year and settings.calendar.country in LUNAR_NEW_YEAR
        return cls(settings.calendar.country, settings.fiscal.year_start_month, lunar)

    def parse(self, text: str) -> Period:
        """Return the period written as a day, ISO week, month, fiscal quarter or fiscal year.

        The ids of `year_to_date` and `rolling` are understood too. Raises `BadValue` with examples.

        >>> [Calendar().parse(each).grain for each in ("2026-10-31", "2026-W47", "2026-10", "2026-Q4", "2026")]
        ['day', 'week', 'month', 'quarter', 'year']
        >>> Calendar().parse("2026-W54")
        Traceback (most recent call last):
        salesforecast.errors.BadValue: No period '2026-W54'. Write one like 2026-10 (month), 2026-Q4 (fiscal
        quarter), 2026 (fiscal year), 2026-W47 (ISO week) or 2026-10-31 (day).
        """
        written = str(text).strip()
        derived = _DERIVED.fullmatch(written)
        if derived:
            base = self.parse(derived[1])
            return self.rolling(base, int(derived[3])) if derived[3] else self.year_to_date(base)
        for grain, form in _FORMS.items():
            match = form.fullmatch(written.upper())
            if match:
                try:
                    return self.period(self._first_day(grain, [int(part) for part in match.groups()]), grain)
                except (ValueError, OverflowError):
                    break
        raise BadValue(
            f"No period {text!r}. Write one like 2026-10 (month), 2026-Q4 (fiscal quarter), 2026 (fiscal year), "
            "2026-W47 (ISO week) or 2026-10-31 (day)."
        )

    def period(self, day: Day, grain: str) -> Period:
        """Return the period of that grain that contains the day.

        >>> Calendar(first_month=4).period("2027-02-10", "quarter")
        Period(grain='quarter', start=datetime.date(2027, 1, 1), end=datetime.date(2027, 3, 31), id='2027-Q4')
        >>> Calendar().period("2021-01-03", "week").id
        '2020-W53'
        """
        day = as_day(day)
        if grain == "day":
            return Period(grain, day, day, day.isoformat())
        if grain == "week":
            year, week, weekday = day.isocalendar()
            monday = day - (weekday - 1) * _ONE
            return Period(grain, monday, monday + 6 * _ONE, f"{year:04d}-W{week:02d}")
        if grain not in _MONTHS:
            raise BadValue(f"No grain {grain!r}.{suggestion(grain, _FORMS)} Use one of: {', '.join(_FORMS)}.")
        length = _MONTHS[grain]
        position = (day.month - self.first_month) % 12  # months since the fiscal year began
        start = _add_months(day.replace(day=1), -(position % length))
        end = _add_months(start, length) - _ONE
        fiscal_year = _add_months(day.replace(day=1), 11 - position).year
        names = {
            "month": f"{start:%Y-%m}",
            "quarter": f"{fiscal_year:04d}-Q{position // 3 + 1}",
            "year": f"{fiscal_year:04d}",
        }
        return Period(grain, start, end, names[grain])

    def shift(self, period: Period, n: int) -> Period:
        """Return the period `n` periods later (earlier when negative).

        A year-to-date or rolling period moves with the period that it ends with.

        >>> calendar = Calendar()
        >>> calendar.shift(calendar.parse("2026-11"), 3).id, calendar.shift(calendar.parse("2026-W01"), -1).id
        ('2027-02', '2025-W52')
        """
        base = self._base(period)
        if base != period:
            return self._derive(self.shift(base, n), period)
        if period.grain in ("day", "week"):
            return self.period(period.start + n * period.days * _ONE, period.grain)
        return self.period(_add_months(period.start, n * _MONTHS[period.grain]), period.grain)

    def previous(self, period: Period) -> Period:
        """Return the period just before (环比).

        >>> Calendar().previous(Calendar().parse("2026-Q1")).id
        '2025-Q4'
        """
        return self.shift(period, -1)

    def last_year(self, period: Period) -> Period:
        """Return the same period one year earlier (同比).

        A week keeps its number (week 53 becomes week 52), a day its date (29 February becomes 28 February).

        >>> calendar = Calendar()
        >>> [calendar.last_year(calendar.parse(each)).id for each in ("2026-10", "2026-W53", "2024-02-29")]
        ['2025-10', '2025-W52', '2023-02-28']
        """
        base = self._base(period)
        if base != period:
            return self._derive(self.last_year(base), period)
        if period.grain != "week":
            return self.period(_add_months(period.start, -12), period.grain)
        year, week, _ = period.start.isocalendar()
        return self.period(date.fromisocalendar(year - 1, min(week, 52), 1), "week")

    def year_to_date(self, period: Period) -> Period:
        """Return the days from the start of the fiscal year to the period's end (累计).

        >>> Calendar(first_month=4).year_to_date(Calendar(first_month=4).parse("2026-10"))
        Period(grain='year', start=datetime.date(2026, 4, 1), end=datetime.date(2026, 10, 31), id='2026-10-ytd')
        """
        base = self._base(period)
        return Period("year", self.period(base.end, "year").start, base.end, f"{base.id}-ytd")

    def rolling(self, period: Period, months: int = 12) -> Period:
        """Return the given number of months up to the period's end (滚动12个月).

        >>> year = Calendar().rolling(Calendar().parse("2026-02"))
        >>> year.start, year.end, year.id
        (datetime.date(2025, 3, 1), datetime.date(2026, 2, 28), '2026-02-rolling12')
        """
        if months < 1:
            raise BadValue(f"A rolling period needs at least 1 month, got {months}.")
        base = self._base(period)
        start = _add_months(base.end + _ONE, -months)
        return Period("year", start, base.end, f"{base.id}-rolling{months}")

    def periods(self, start: Day, end: Day, grain: str) -> list[Period]:
        """Return the periods that cover `start` to `end`, the first and last one whole.

        >>> [each.id for each in Calendar().periods("2026-11-15", "2027-01-01", "month")]
        ['2026-11', '2026-12', '2027-01']
        """
        last = as_day(end)
        period = self.period(start, grain)
        found = []
        while period.start <= last:
            found.append(period)
            period = self.period(period.end + _ONE, grain)
        return found

    def frame(self, start: Day, end: Day) -> pd.DataFrame:
        """Return one row a day, both ends included.

        Columns: date, workday, holiday (English name of the festival that makes it a day off, else missing),
        week_start, month_start, quarter_start, year_start (first day of the period), week, month, quarter, year (ids
        as `parse` reads them), days_to_festival (days until the nearest Spring Festival, negative after it; missing
        where it does not matter) and estimated (the year's workdays are not published yet).

        >>> frame = Calendar().frame("2026-02-14", "2026-02-18")
        >>> frame["workday"].tolist(), frame["days_to_festival"].tolist()
        ([True, False, False, False, False], [3, 2, 1, 0, -1])
        >>> frame["holiday"].tolist()[1], frame["quarter"].tolist()[0]
        ('Spring Festival', '2026-Q1')
        """
        return _frame(self, as_day(start), as_day(end)).copy()

    def workdays(self, start: Day, end: Day) -> int:
        """Count the workdays from `start` to `end`, both included; 0 when `end` is before `start`.

        >>> Calendar().workdays("2026-10-01", "2026-10-31")  # National Day off, Saturday the 10th worked
        18
        """
        first, last = as_day(start), as_day(end)
        total = 0
        for year in range(first.year, last.year + 1):
            workday = _year(self.country, year).workday
            lo = (first - date(year, 1, 1)).days if year == first.year else 0
            hi = (last - date(year, 1, 1)).days + 1 if year == last.year else len(workday)
            total += int(workday[lo:hi].sum()) if hi > lo else 0
        return total

    def same_progress(self, period: Period, as_of: Day, base: Period) -> date:
        """Return the day of `base` by which as many workdays had passed as in `period` by the end of `as_of`.

        Days off that follow the last of these workdays count as far as `base` has as many there, so that a weekend is
        compared with a weekend. At least the first day of `base`; its end when the period is over or `base` has fewer
        workdays. Raises `BadValue` when `as_of` lies before the period.

        >>> calendar = Calendar()
        >>> november, october = calendar.parse("2026-11"), calendar.parse("2026-10")
        >>> calendar.same_progress(november, "2026-11-06", october)  # 5 workdays, the first after the long holiday
        datetime.date(2026, 10, 13)
        """
        day = as_day(as_of)
        if day < period.start:
            raise BadValue(f"{day} lies before the period {period.id}, which begins on {period.start}.")
        if day >= period.end:
            return base.end
        passed = self.workdays(period.start, day)
        rest = 0  # days off since the last workday
        while day - rest * _ONE >= period.start and not self._works(day - rest * _ONE):
            rest += 1
        found, count = base.start - _ONE, 0
        while found < base.end and count < passed:
            found += _ONE
            count += self._works(found)
        if count < passed:
            return base.end
        while rest and found < base.end and not self._works(found + _ONE):
            found += _ONE
            rest -= 1
        return max(found, base.start)

    def lunar_new_year_date(self, year: int) -> date | None:
        """Return the day of Spring Festival in a calendar year, or None where it does not matter or is not known.

        >>> Calendar().lunar_new_year_date(2027)
        datetime.date(2027, 2, 6)
        """
        return _spring_festival(year) if self.lunar_new_year else None

    def estimated_years(self, start: Day, end: Day) -> tuple[int, ...]:
        """Return the calendar years whose workdays are a rule-based estimate.

        China publishes each year's arrangement in the preceding November; until then (and before 2004) a year is
        Monday to Friday without the statutory festivals and their substitute days. Other countries' rules need no
        announcement.

        >>> Calendar().estimated_years("2003-07-01", "2008-06-30")
        (2003,)
        >>> Calendar("US").estimated_years("2003-07-01", "2028-06-30")
        ()
        """
        years = range(as_day(start).year, as_day(end).year + 1)
        return tuple(year for year in years if _year(self.country, year).estimated)

    def _first_day(self, grain: str, parts: list[int]) -> date:
        year = parts[0]
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            raise ValueError(f"year {year}")
        if grain == "day":
            return date(*parts)
        if grain == "week":
            return date.fromisocalendar(year, parts[1], 1)
        if grain == "month":
            return date(year, parts[1], 1)
        start = date(year - (self.first_month > 1), self.first_month, 1)
        return start if grain == "year" else _add_months(start, 3 * (parts[1] - 1))

    def _base(self, period: Period) -> Period:
        """Return the period that a year-to-date or rolling one was made from, any other as it is."""
        derived = _DERIVED.fullmatch(period.id)
        return self.parse(derived[1]) if derived else period

    def _derive(self, base: Period, like: Period) -> Period:
        match = _DERIVED.fullmatch(like.id)
        return self.parse(f"{base.id}-{match[2]}") if match else base

    def _works(self, day: date) -> bool:
        return bool(_year(self.country, day.year).workday[day.timetuple().tm_yday - 1])


def as_day(value: Day) -> date:
    """Return a date, a timestamp or a text that begins with `YYYY-MM-DD` as a date.

    >>> as_day("2026-10-31"), as_day(datetime(2026, 10, 31, 18, 30))
    (datetime.date(2026, 10, 31), datetime.date(2026, 10, 31))
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value).strip()[:10])
    except ValueError:
        raise BadValue(f"No day {str(value)!r}. Write one like 2026-10-31.") from None


@dataclass(frozen=True, eq=False)
class _Year:
    workday: np.ndarray
    holiday: tuple[str | None, ...]
    estimated: bool


@lru_cache(maxsize=1024)
def _year(country: str, year: int) -> _Year:
    import numpy as np

    first = date(year, 1, 1)
    days = [first + n * _ONE for n in range(365 + months.isleap(year))]
    if country == "CN":
        published = _published_in_china(days)
        if published is not None:
            return _Year(np.array([works for works, _ in published]), tuple(n for _, n in published), False)
    known = _holidays(country, year)
    rename = _chinese_name if country == "CN" else str
    works = np.array([known.is_working_day(day) for day in days])
    names = tuple(rename(known[day]) if day in known else None for day in days)
    return _Year(works, names, country == "CN")


def _published_in_china(days: list[date]) -> list[tuple[bool, str | None]] | None:
    """Return (workday, festival) of each day, or None when the year's arrangement is not published."""
    import chinese_calendar

    try:
        details = [chinese_calendar.get_holiday_detail(day) for day in days]
    except NotImplementedError:
        return None
    return [(not off, name if off else None) for off, name in details]


def _holidays(country: str, year: int) -> Any:
    import holidays

    # Without a language the names would follow the machine's locale.
    return holidays.country_holidays(country, years=year, language="en_US")


def _chinese_name(name: str) -> str:
    plain = name.split("; ")[0]
    known = (ours for theirs, ours in _CHINESE_FESTIVALS.items() if plain.startswith(theirs))
    return next(known, plain.removesuffix(" (observed)"))


@lru_cache(maxsize=1024)
def _spring_festival(year: int) -> date | None:
    # The published days off start on the eve in some years and days before it in others; the festival is its own day.
    days = [day for day, name in _holidays("CN", year).items() if _SPRING_FESTIVAL_DAY in name.split("; ")]
    return min((day for day in days if day.year == year), default=None)


def _check_country(country: str) -> None:
    import holidays

    codes = [code for code in holidays.list_supported_countries() if len(code) == 2]
    if country not in codes:
        raise BadValue(
            f"No holidays known for country {country!r}.{suggestion(country, codes)} Use an ISO code like CN or US."
        )


def _add_months(day: date, n: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


@lru_cache(maxsize=16)
def _frame(calendar: Calendar, start: date, end: date) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    days = pd.date_range(start, end, name="date", unit="us")
    years = [_year(calendar.country, year) for year in range(start.year, end.year + 1)] if len(days) else []
    lo = (start - date(start.year, 1, 1)).days
    span = slice(lo, lo + len(days))
    frame = pd.DataFrame({"date": days})
    frame["workday"] = np.concatenate([[], *(each.workday for each in years)])[span].astype(bool)
    names = [name for each in years for name in each.holiday][span]
    frame["holiday"] = pd.Series(names, dtype="str")
    for grain in ("week", "month", "quarter", "year"):
        periods = calendar.periods(start, end, grain) if years else []
        starts = pd.DatetimeIndex([each.start for each in periods]).as_unit("us")
        position = starts.searchsorted(days, side="right") - 1
        frame[f"{grain}_start"] = starts[position]
        frame[grain] = pd.Series([each.id for each in periods], dtype="str").take(position).array
    frame["days_to_festival"] = _days_to_festival(calendar, days)
    estimated = [np.repeat(each.estimated, len(each.workday)) for each in years]
    frame["estimated"] = np.concatenate([[], *estimated])[span].astype(bool)
    order = [
        "date", "workday", "holiday", "week_start", "month_start", "quarter_start", "year_start",
        "week", "month", "quarter", "year", "days_to_festival", "estimated",
    ]  # fmt: skip
    return frame[order]


def _days_to_festival(calendar: Calendar, days: pd.DatetimeIndex) -> pd.array:
    import numpy as np
    import pandas as pd

    if not len(days):
        return pd.array([], dtype="Int64")
    known = (calendar.lunar_new_year_date(year) for year in range(days[0].year - 1, days[-1].year + 2))
    festivals = pd.DatetimeIndex([each for each in known if each]).as_unit("us")
    if not len(festivals):
        return pd.array([None] * len(days), dtype="Int64")
    after = festivals.searchsorted(days)
    to_next = (festivals[np.minimum(after, len(festivals) - 1)] - days).days
    to_last = (festivals[np.maximum(after - 1, 0)] - days).days
    nearest = pd.Series(np.where(np.abs(to_next) <= np.abs(to_last), to_next, to_last), dtype="Int64")
    # Where the lunar calendar ends, the nearest festival is not known.
    return nearest.where(nearest.abs() <= 200).array
