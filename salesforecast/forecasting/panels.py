"""Panels from a workbench: the one module of the folder that knows the workbench and its calendar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast import measures
from salesforecast.calendar import LUNAR_NEW_YEAR, Calendar, Period
from salesforecast.errors import NoData, lookup
from salesforecast.forecasting.frequency import MONTHS, SEASONS, Frequency
from salesforecast.forecasting.histories import Histories, read
from salesforecast.forecasting.requests import check_horizon

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench

_WINDOWS = {"month": 15, "week": 10, "day": 10}  # workdays before and after Spring Festival that it changes


def panel(
    wb: Workbench,
    measure: str = "revenue",
    by: str | Sequence[str] = (),
    grain: str = "month",
    until: str | Period | None = None,
) -> pd.DataFrame:
    """Return the history of a measure as a panel, complete periods only.

    `by`: dimension columns of `sales` (region, team, channel, …), one series for each combination; `grain`: day,
    week, month, quarter or year of the workbench's calendar; `until`: the last period to use (default: the last one
    that ended by `wb.as_of`; an unfinished period is never used).

    Returns one row per series and period: `unique_id` (values joined by "/", "total" without `by`), `ds` (first day
    of the period), `y` (in the unit of the measure), the `by` columns. A series starts in its first period with a
    sale. From there on a period without sales is 0 for an additive measure and left out for a ratio (unknown, not
    0). A combination without a value in a `by` column is called "–".

    Raises `UnknownName`, `BadValue`, `NoData` where no period is complete.
    """
    found = lookup(measures.MEASURES, measure, "measure")
    lookup(SEASONS, grain, "grain")
    columns = [by] if isinstance(by, str) else list(by)
    first_day, _ = wb.bounds
    end = wb.calendar.period(wb.as_of, grain) if until is None else wb.calendar.period(wb.period(until).end, grain)
    while not wb.finished(end):
        end = wb.calendar.previous(end)
    if first_day is None or end.end < first_day:
        raise NoData(
            f"No {grain} is complete by {wb.as_of}. Choose a finer grain or a later as_of.", note="no_track_record"
        )
    start = wb.calendar.period(first_day, grain)
    rows = measures.values(wb, [measure], by=columns, grain=grain, start=start.start, end=end.end)
    periods = pd.DatetimeIndex([each.start for each in wb.calendar.periods(start.start, end.end, grain)])
    rows = rows.rename(columns={"period_start": "ds", measure: "y"})
    rows["ds"] = pd.to_datetime(rows["ds"])
    for column in columns:
        rows[column] = rows[column].astype(object).where(rows[column].notna(), "–").astype(str)
    rows["unique_id"] = rows[columns].agg("/".join, axis=1) if columns else "total"
    rows = rows.dropna(subset="y")
    if rows.empty:
        raise NoData(f"No {grain} has a value of {measure}. Import the tables and columns it needs.")
    parts = [_whole_series(each, periods, found.additive) for _, each in rows.groupby("unique_id", sort=True)]
    result = pd.concat(parts, ignore_index=True)[["unique_id", "ds", "y", *columns]]
    result.attrs["grain"] = grain
    return result


def calendar_regressors(calendar: Calendar, panel: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return what the calendar knows in advance, for `forecast(..., regressors=…)`.

    One row per series and period of its history and the horizon, any grain, dates at the first or last day of a month:

    - `unique_id, ds`;
    - `workdays`: the logarithm of the workdays of the period (调休 included), so that its effect is a percentage per
      percent; a period without any counts as half a workday;
    - `festival_before`, `festival_after` where the lunar new year stops business, for months, weeks and days: the
      share of the 15 workdays before Spring Festival, and of the 15 after it, that fall into the month (weeks: of ten;
      days: 1 on each day of that stretch). Two columns, for many buy ahead and pause afterwards;
    - `festival` in weeks and days: the share of the festival's days off that fall into the period (days: 1);
    - `holiday` in days: 1 on a day off for any other public holiday.

    Whether a series moves with a column is tested for each series by `forecast`; one that does not is forecast as
    without. Where January never has a value (Chinese statistics report January and February together), February has
    the mean workdays of both and no festival columns (0), for the festival always lies inside the sum.

    Raises `BadPanel`, `BadValue`.

    >>> months = pd.DataFrame({"unique_id": "A", "ds": pd.to_datetime(["2026-01-01", "2026-02-01"]), "y": 1.0})
    >>> known = calendar_regressors(Calendar(), months, 1)
    >>> np.exp(known["workdays"]).round().tolist()      # Spring Festival 2026 is the 17th of February
    [21.0, 16.0, 22.0]
    >>> known[["festival_before", "festival_after"]].round(2).to_numpy().T.tolist()
    [[0.27, 0.73, 0.0], [0.0, 0.33, 0.67]]
    """
    check_horizon(horizon)
    histories = read(panel)
    counts = histories.lengths + horizon
    series = np.repeat(np.arange(len(counts)), counts)
    dates = histories.dates(series, np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts))
    merged = _without_january(histories)[series]
    result = pd.DataFrame({"unique_id": histories.ids[series], "ds": dates})
    parts = []
    for together in np.unique(merged):
        rows = np.flatnonzero(merged == together)
        periods, place = np.unique(dates[rows], return_inverse=True)
        grid = _known(calendar, histories.frequency, pd.DatetimeIndex(periods), bool(together))
        parts.append(grid.iloc[place].set_axis(rows))
    return result.join(pd.concat(parts))


def _without_january(histories: Histories) -> np.ndarray:
    """Return which series of months span two Januaries or more and have a value in none."""
    lengths = histories.lengths
    if histories.frequency.grain != "month":
        return np.zeros(len(lengths), bool)
    series = np.repeat(np.arange(len(lengths)), lengths)
    month = histories.number(series, np.arange(len(series)) - histories.offsets[series]) % 12
    januaries = [
        np.bincount(series[rows], minlength=len(lengths)) for rows in (month == 0, (month == 0) & histories.known)
    ]
    return (januaries[0] >= 2) & (januaries[1] == 0)


def _known(calendar: Calendar, frequency: Frequency, dates: pd.DatetimeIndex, merged: bool) -> pd.DataFrame:
    """Return what the calendar knows about the periods with these dates."""
    day = pd.Timedelta(days=1)
    months = pd.DateOffset(months=frequency.step if frequency.grain in MONTHS else 0)
    if frequency.month_end:
        starts, ends = dates + day - months, dates + day
    else:
        starts = dates
        ends = dates + months if frequency.grain in MONTHS else dates + frequency.step * day
    if merged:
        starts = starts.where(ends.month != 3, starts - pd.DateOffset(months=1))
    # The windows around a festival reach over the ends.
    margin = pd.Timedelta(days=60)
    days = calendar.frame(starts[0] - margin, ends[-1] + margin)
    bounds = [(each - days["date"].iloc[0]).days.to_numpy() for each in (starts, ends)]

    def total(each_day: np.ndarray) -> np.ndarray:
        sums = np.concatenate([[0], np.cumsum(each_day)])
        return sums[bounds[1]] - sums[bounds[0]]

    workdays = days["workday"].to_numpy()
    # A mean for the merged month: its double size belongs to the season, not to its workdays.
    count = total(workdays) / np.where(merged & (ends.month == 3), 2, 1)
    found = pd.DataFrame({"workdays": np.log(np.maximum(count, 0.5))})
    if frequency.grain not in _WINDOWS:
        return found
    window, whole = _WINDOWS[frequency.grain], frequency.grain == "day"
    off = days["holiday"].notna().to_numpy() & ~workdays
    festival = off & (days["holiday"] == "Spring Festival").to_numpy()
    if calendar.lunar_new_year and calendar.country in LUNAR_NEW_YEAR:
        before, after = _around_festival(days, window, ~festival if whole else workdays)
        found["festival_before"] = total(before) * (not merged) / (1 if whole else window)
        found["festival_after"] = total(after) * (not merged) / (1 if whole else window)
        if frequency.grain != "month":
            year = days["date"].dt.year.to_numpy() - days["date"].dt.year.iloc[0]
            length = np.maximum(np.bincount(year, weights=festival)[year], 1)
            found["festival"] = total(festival / (1 if whole else length))
    if whole:
        found["holiday"] = total(off & ~festival).astype(float)
    return found


def _around_festival(days: pd.DataFrame, window: int, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 on each counted day within `window` workdays before, and after, the day of Spring Festival."""
    workdays = np.flatnonzero(days["workday"])
    before, after = np.zeros(len(days)), np.zeros(len(days))
    for festival in np.flatnonzero((days["days_to_festival"] == 0).fillna(False)):
        at = int(np.searchsorted(workdays, festival))
        if window <= at <= len(workdays) - window:
            before[workdays[at - window] : festival] = 1
            after[festival : workdays[at + window - 1] + 1] = 1
    return before * counted, after * counted


def _whole_series(rows: pd.DataFrame, periods: pd.DatetimeIndex, additive: bool) -> pd.DataFrame:
    """Return one series with every period from its first value on; a ratio keeps only the periods it has."""
    if not additive:
        return rows.sort_values("ds")
    whole = rows.set_index("ds").reindex(periods[periods >= rows["ds"].min()])
    whole["y"] = whole["y"].fillna(0.0)
    others = [column for column in whole.columns if column != "y"]
    whole[others] = whole[others].ffill()
    return whole.rename_axis("ds").reset_index()
