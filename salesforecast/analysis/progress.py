"""How far a period has come: by workdays, and by the way the same period of earlier years filled up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast import measures
from salesforecast.analysis.comparison import covered

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

YEARS = 3


def progress(wb: Workbench, period: Period, measure: str = "revenue", sold: pd.Series | None = None) -> pd.DataFrame:
    """Return the expected cumulative share of a period, day by day.

    One row per day. Columns: date; even (workdays passed / workdays, 0 to 1); seasonal.

    `seasonal` is the mean of the cumulative daily shares of the same period in up to three past years, read at the
    same share of workdays. With fewer years it is shrunk to `even`: with n years it counts n/3. `sold` is the measure
    by day (`daily_values`) for whoever asks for many periods.
    """
    days = wb.calendar.frame(period.start, period.end)
    even = _elapsed(days["workday"].to_numpy(bool))
    frame = pd.DataFrame({"date": days["date"].to_numpy(), "even": even, "seasonal": even})
    bases = _bases(wb, period)
    if not bases:
        return frame
    values = daily_values(wb, measure, bases[-1].start, bases[0].end) if sold is None else sold
    shapes = [shape for base in bases if (shape := filled(wb, base, values, even)) is not None]
    if shapes:
        weight = len(shapes) / YEARS
        frame["seasonal"] = weight * np.mean(shapes, axis=0) + (1 - weight) * even
    return frame


def filled(wb: Workbench, period: Period, values: pd.Series, even: np.ndarray) -> np.ndarray | None:
    """Return the share of a past period that was sold when given shares of its workdays had passed.

    `values` is a measure by day. None where nothing was sold.
    """
    sold = values.reindex(pd.date_range(period.start, period.end), fill_value=0.0).to_numpy().cumsum()
    if sold[-1] <= 0:
        return None
    at = _elapsed(wb.calendar.frame(period.start, period.end)["workday"].to_numpy(bool))
    # Several days share one count of workdays (weekends): the last of them counts.
    ends = np.append(np.flatnonzero(np.diff(at) > 0), len(at) - 1)
    return np.clip(np.interp(even, np.append(0.0, at[ends]), np.append(0.0, sold[ends])) / sold[-1], 0.0, 1.0)


def last_year(wb: Workbench, period: Period, measure: str = "revenue") -> np.ndarray:
    """Return what last year's same period had sold by the same day, for each day of a period; NaN when not covered.

    "The same day" is the rule of the headline figures on that day: the end of last year's month when no workday of the
    month is left, before that the day by which as many workdays of the month had passed. So the value at the as-of
    date is the base of a month's year-to-date growth. Days and weeks are aligned as a whole, not by month.
    """
    base = wb.calendar.last_year(period)
    if not covered(wb, (base.start, base.end)):
        return np.full(period.days, np.nan)
    parts = [period] if period.grain in ("day", "week") else wb.calendar.periods(period.start, period.end, "month")
    ends = [end for part in parts for end in _same_days(wb, part)]
    sold = daily_values(wb, measure, base.start, base.end)
    return sold.reindex(pd.date_range(base.start, base.end), fill_value=0.0).cumsum()[pd.DatetimeIndex(ends)].to_numpy()


def _same_days(wb: Workbench, period: Period) -> list[date]:
    """Return for each day of a period the last day of last year's that it is compared with."""
    base = wb.calendar.last_year(period)
    days = wb.calendar.frame(period.start, period.end)
    left = days["workday"].to_numpy(bool)[::-1].cumsum()[::-1]
    return [
        wb.calendar.same_progress(period, day.date(), base) if more else base.end
        for day, more in zip(days["date"], np.append(left[1:], 0), strict=True)
    ]


def _bases(wb: Workbench, period: Period) -> list[Period]:
    """Return the same period of up to three past years that the data covers, latest first."""
    bases: list[Period] = []
    for _ in range(YEARS):
        period = wb.calendar.last_year(period)
        if not covered(wb, (period.start, period.end)):
            break
        bases.append(period)
    return bases


def daily_values(wb: Workbench, measure: str, first: date, last: date) -> pd.Series:
    """Return an additive measure by day; days without a sale are left out."""
    found = measures.values(wb, [measure], grain="day", start=first, end=last)
    return pd.Series(found[measure].astype("float64").to_numpy(), index=pd.to_datetime(found["period_start"]))


def _elapsed(workday: np.ndarray) -> np.ndarray:
    """Return the share of workdays passed by the end of each day; a period without any counts all its days."""
    counted = workday if workday.any() else np.ones_like(workday)
    return counted.cumsum() / counted.sum()


def recent_span(wb: Workbench, workdays: int = 20) -> tuple[date, date]:
    """Return the span of the last `workdays` workdays up to the as-of date."""
    back = wb.calendar.frame(wb.as_of - timedelta(days=workdays * 3), wb.as_of)
    passed = pd.DatetimeIndex(back.loc[back["workday"].astype(bool), "date"])
    return passed[-min(workdays, len(passed))].date(), wb.as_of
