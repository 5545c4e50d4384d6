"""Panels from a workbench: the one module of the folder that knows the workbench and its calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast import measures
from salesforecast.calendar import Calendar, Period
from salesforecast.errors import BadValue, NoData, lookup
from salesforecast.forecasting.checks import tidy_panel
from salesforecast.forecasting.frequency import SEASONS, infer

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench

WINDOW = 28  # days before and after the Spring Festival in which sales move: about 20 workdays


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


def spring_festival(calendar: Calendar, panel: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return a regressor for `forecast(..., regressors=…)`: how much of the Spring Festival season a period holds.

    `spring_festival` is the share of the four weeks before and after the festival that falls into the period (0 to
    1). It differs from the usual season because the festival moves between late January and late February. Whether
    and how strongly a series reacts is estimated and tested for each series; where it does not, nothing changes.
    One row per period of the panel and of the horizon: `ds, spring_festival`. Raises `BadValue` where the calendar
    has no Lunar New Year.

    >>> months = pd.DataFrame({"unique_id": "A", "ds": pd.to_datetime(["2026-01-01", "2026-02-01"]), "y": 1.0})
    >>> spring_festival(Calendar(), months, 1)["spring_festival"].round(2).tolist()     # festival on 17 February
    [0.21, 0.5, 0.29]
    """
    tidy = tidy_panel(panel)
    frequency = infer(tidy)
    ends = pd.Series([tidy["ds"].min(), tidy["ds"].max()])
    later = frequency.after(ends[0], round(frequency.positions(ends)[1]) + horizon + 1)
    dates, after = [ends[0], *later[:-1]], later
    festivals = [calendar.lunar_new_year_date(year) for year in range(dates[0].year - 1, after[-1].year + 2)]
    known = [each for each in festivals if each is not None]
    if not known:
        raise BadValue("This calendar has no Lunar New Year. Set calendar.lunar_new_year = true or leave it out.")
    window = np.concatenate(
        [pd.date_range(each - timedelta(WINDOW), each + timedelta(WINDOW - 1)).to_numpy() for each in known]
    )
    shares = [
        float(((window >= start.to_datetime64()) & (window < end.to_datetime64())).sum()) / (2 * WINDOW)
        for start, end in zip(dates, after, strict=True)
    ]
    return pd.DataFrame({"ds": dates, "spring_festival": shares})


def _whole_series(rows: pd.DataFrame, periods: pd.DatetimeIndex, additive: bool) -> pd.DataFrame:
    """Return one series with every period from its first value on; a ratio keeps only the periods it has."""
    if not additive:
        return rows.sort_values("ds")
    whole = rows.set_index("ds").reindex(periods[periods >= rows["ds"].min()])
    whole["y"] = whole["y"].fillna(0.0)
    others = [column for column in whole.columns if column != "y"]
    whole[others] = whole[others].ffill()
    return whole.rename_axis("ds").reset_index()
