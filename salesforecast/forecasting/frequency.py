"""The spacing of a panel's dates: inferred once, then used to number periods and to step into the future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SEASONS = {"day": 7, "week": 52, "month": 12, "quarter": 4, "year": 1}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
DAYS = {"day": 1, "week": 7}
GRAINS = ("year", "quarter", "month", "week", "day")
_BOUNDS = np.array([1, 7, 28, 89, 360])  # days from which a distance is that of a day, a week, … a year


@dataclass(frozen=True)
class Frequency:
    """A grain, and whether its dates are the last day of a month (they stay so in the future).

    `every` is 2 where a period spans two of the grain: two weeks, two months, half a year; 4 for four weeks.
    """

    grain: str
    month_end: bool = False
    every: int = 1

    @property
    def season(self) -> int:
        """Periods in the usual season: 12 months, 52 weeks, 4 quarters, 1 year, 7 days; 13 periods of four weeks."""
        return SEASONS[self.grain] // self.every

    @property
    def step(self) -> int:
        """How many months, or days for days and weeks, one period is long."""
        return self.every * (MONTHS.get(self.grain) or DAYS[self.grain])

    def reach(self, season: int) -> int:
        """Return how many periods a forecast looks back at most: as many as a model is fitted to.

        Of days three years, for only these show the season of the year.
        """
        return 1096 if self.grain == "day" else fitted(season)

    def numbers(self, days: np.ndarray) -> np.ndarray:
        """Return months since 1970 of dates given as days since 1970; the days themselves for days and weeks.

        >>> Frequency("month").numbers(np.array([0, 30, 31])).tolist()
        [0, 0, 1]
        """
        return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) if self.grain in MONTHS else days

    def dates(self, numbers: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return the dates of `numbers`; in months the given day of the month, at most the last one.

        >>> [str(each)[:10] for each in Frequency("month", month_end=True).dates(np.array([0, 1]), np.array([31, 31]))]
        ['1970-01-31', '1970-02-28']
        """
        if self.grain in DAYS:
            return numbers.astype("datetime64[D]").astype("datetime64[ns]")
        months = numbers.astype("datetime64[M]")
        start = months.astype("datetime64[D]")
        last = (months + 1).astype("datetime64[D]") - start
        chosen = last if self.month_end else np.minimum(day.astype("timedelta64[D]"), last)
        return (start + chosen - np.timedelta64(1, "D")).astype("datetime64[ns]")


def fitted(season: int) -> int:
    """Return how many periods a model is fitted to at most: older ones say little and cost much.

    >>> fitted(12), fitted(52)
    (240, 416)
    """
    return max(8 * season, 240)


def day_of_month(days: np.ndarray) -> np.ndarray:
    """Return the day of the month, from 1 on, of dates given as days since 1970.

    >>> day_of_month(np.array([0, 30, 31])).tolist()
    [1, 31, 1]
    """
    date = days.astype("datetime64[D]")
    return (date - date.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1


def infer_days(days: np.ndarray, codes: np.ndarray, grain: str | None = None) -> Frequency:
    """Return the frequency of dates given as days since 1970, sorted inside each series; `codes` tell the series.

    The smallest distance between two dates of a series decides: 1 to 6 days is daily, 7 to 27 weekly, 28 to 88
    monthly, 89 to 359 quarterly, from 360 yearly; two or four weeks, two months or half a year where all distances are
    whole multiples of that. Series whose dates do not fit their own spacing have no say. Of the others the finest
    decide for the panel, unless they are fewer than one in twenty: those are taken as irregular. Where every series has
    one point, `grain` (set by `panel()`) decides; without it, the first or last day of a month means monthly and any
    other day daily.

    >>> infer_days(np.array([0, 90]), np.array([0, 0])).grain          # 1970-01-01 and 1970-04-01
    'quarter'
    """
    date = days.astype("datetime64[D]")
    month_end = bool((date.astype("datetime64[M]") != (date + 1).astype("datetime64[M]")).all())
    gaps = np.diff(days)
    inside = (np.diff(codes) == 0) & (gaps > 0)
    if not inside.any():
        if grain not in SEASONS:
            grain = "month" if month_end or (day_of_month(days) == 1).all() else "day"
        return Frequency(grain, month_end and grain in MONTHS)
    gaps, owners = gaps[inside], codes[1:][inside]
    starts = np.flatnonzero(np.r_[True, np.diff(owners) != 0])
    smallest = np.minimum.reduceat(gaps, starts)
    own = len(_BOUNDS) - np.searchsorted(_BOUNDS, smallest, side="right")
    fits = np.zeros(len(smallest), dtype=bool)
    months = date.astype("datetime64[M]").astype(np.int64)
    for place, name in enumerate(GRAINS):
        numbers, step = (months, MONTHS[name]) if name in MONTHS else (days, DAYS[name])
        apart = np.diff(numbers)[inside]
        odd = (apart % step != 0) | (apart == 0)
        fits |= (own == place) & ~np.logical_or.reduceat(odd, starts)
    fits |= _fortnightly(gaps, starts)
    voting = smallest[fits] if fits.any() else smallest
    least = np.quantile(voting, 0.05, method="lower")
    grain = GRAINS[len(_BOUNDS) - int(np.searchsorted(_BOUNDS, least, side="right"))]
    said = np.repeat(fits, np.diff(np.r_[starts, len(gaps)]))
    return _coarser(grain, month_end, gaps[said], np.diff(months)[inside][said])


def _fortnightly(gaps: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return which series have dates whole weeks apart, but never less than two."""
    return ~np.logical_or.reduceat((gaps % 7 != 0) | (gaps < 14), starts)


def _coarser(grain: str, month_end: bool, days: np.ndarray, months: np.ndarray) -> Frequency:
    """Return the grain, or two or four of it where all distances (in days, and in months) are multiples of that."""
    for name, every, apart in (
        ("week", 4, days / 7),
        ("week", 2, days / 7),
        ("quarter", 2, months / 3),
        ("month", 2, months),
    ):
        usual = apart == every
        # Four distances, mostly the same: two sales some weeks apart are no rhythm.
        if len(apart) >= 4 and usual.mean() >= 0.5 and (apart % every == 0).all():
            return Frequency(name, month_end and name in MONTHS, every)
    return Frequency(grain, month_end and grain in MONTHS)
