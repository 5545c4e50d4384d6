"""The company's potential by day and team: growth, seasons, workdays, Spring Festival, before chance and decline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from salesforecast.calendar import Calendar
from salesforecast.demo import truths


@dataclass(frozen=True)
class Plan:
    """What the company could sell.

    `days`: one row a day from the start to the end of the last year with `month` (number since the start),
    `office` and `shop` (how strongly offices and the web shop buy that day). `potential` and `expected` are money
    by month (row) and team (column): the unbroken trend of whole months, and what is planned to happen up to
    `until`, decline included.
    """

    until: date
    days: pd.DataFrame
    months: pd.DatetimeIndex
    potential: np.ndarray
    expected: np.ndarray
    last_month: int

    def month_of(self, day: str | date) -> int:
        """Return the number of the month that contains the day; the first month of the company is 0."""
        stamp = pd.Timestamp(day)
        return (stamp.year - truths.START.year) * 12 + stamp.month - truths.START.month


def make_plan(lines: int, until: date) -> Plan:
    """Return the plan whose expected total up to `until` is worth `lines` ordinary order lines."""
    days = _days(until)
    first = pd.DatetimeIndex(days["date"])
    trend = (1 + truths.GROWTH) ** ((first - pd.Timestamp(truths.START)).days / 365.25)
    level = np.asarray(trend) * first.month.map(truths.MONTH_INDEX).to_numpy(float) * days["office"].to_numpy()
    seen = np.asarray(first <= pd.Timestamp(until))
    month = days["month"].to_numpy()
    whole, so_far = np.bincount(month, level), np.bincount(month, level * seen)
    shares = np.array([share for _, share in truths.TEAMS.values()])
    months = pd.date_range(truths.START, periods=len(whole), freq="MS")
    expected = so_far[:, None] * shares * _decline(months)
    scale = lines * truths.LINE_VALUE / expected.sum()
    last = int(month[seen][-1])
    return Plan(until, days, months, whole[:, None] * shares * scale, expected * scale, last)


def _decline(months: pd.DatetimeIndex) -> np.ndarray:
    """Return the factor of each month (row) and team (column) that the declining region has left."""
    start = truths.DECLINE_FROM
    elapsed = (months.year - start.year) * 12 + months.month - start.month + 1
    left = (1 - truths.DECLINE_PER_MONTH) ** np.maximum(elapsed.to_numpy(), 0)
    falling = [region == truths.DECLINING_REGION for region, _ in truths.TEAMS.values()]
    return np.where(falling, left[:, None], 1.0)


def _days(until: date) -> pd.DataFrame:
    calendar = Calendar()
    frame = calendar.frame(truths.START, date(until.year, 12, 31))
    days = pd.DataFrame({"date": pd.to_datetime(frame["date"]).astype("datetime64[s]")})
    stamp = days["date"].dt
    days["month"] = (stamp.year - truths.START.year) * 12 + stamp.month - truths.START.month
    workday = frame["workday"].to_numpy(bool)
    festival = _festival(calendar, days["date"])
    days["office"] = workday * festival * _quarter_end(days["month"].to_numpy(), workday)
    days["shop"] = festival
    return days


def _festival(calendar: Calendar, days: pd.Series) -> np.ndarray:
    effect = np.ones(len(days))
    for year in range(truths.START.year, days.iloc[-1].year + 2):
        festival = calendar.lunar_new_year_date(year)
        if festival is None:
            continue
        distance = (days - pd.Timestamp(festival)).dt.days.to_numpy()
        for (first, last), factor in truths.FESTIVAL.items():
            effect[(distance >= first) & (distance <= last)] = factor
    return effect


def _quarter_end(month: np.ndarray, workday: np.ndarray) -> np.ndarray:
    """Return the push of the last workdays of each quarter."""
    push = np.ones(len(month))
    for each in range(2, int(month[-1]) + 1, 3):
        push[np.flatnonzero((month == each) & workday)[-truths.QUARTER_END_DAYS :]] = truths.QUARTER_END_PUSH
    return push


def days_since_start(day: date) -> int:
    """Whole days from the company's first day.

    >>> days_since_start(date(2023, 1, 3))
    2
    """
    return (day - truths.START) // timedelta(days=1)
