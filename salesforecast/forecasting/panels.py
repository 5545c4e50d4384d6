"""Panels from a workbench: the one module of the folder that knows the workbench and its calendar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast import measures
from salesforecast.calendar import Calendar, Period
from salesforecast.errors import NoData, lookup
from salesforecast.forecasting.checks import tidy_panel
from salesforecast.forecasting.forecasts import check_horizon
from salesforecast.forecasting.frequency import MONTHS, SEASONS, Frequency, infer

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench


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
    """Return what the calendar knows in advance, for `forecast(..., regressors=…)`: the workdays of every period.

    `workdays` is the logarithm of the workdays of the period, so that its effect is a percentage per percent; a period
    without any counts as half a workday. A month has a day more or less than the year before, and holidays that move
    (Spring Festival above all) take their workdays along. Whether a series moves with them is tested for each series by
    `forecast`; one that does not is forecast as without. One row per series and period of its history and the horizon:
    `unique_id, ds, workdays`. Any grain, dates at the first or last day of a month. Raises `BadPanel`, `BadValue`.

    >>> months = pd.DataFrame({"unique_id": "A", "ds": pd.to_datetime(["2026-01-01", "2026-02-01"]), "y": 1.0})
    >>> known = calendar_regressors(Calendar(), months, 1)
    >>> np.exp(known["workdays"]).round().tolist()      # Spring Festival 2026 lies in February
    [21.0, 16.0, 22.0]
    """
    check_horizon(horizon)
    tidy = tidy_panel(panel)
    frequency = infer(tidy)
    spans = tidy.groupby("unique_id", sort=False)["ds"].agg(["min", "max"]).reset_index()
    parts = [
        _workdays(calendar, frequency, first, last, horizon).assign(min=first, max=last)
        for first, last in spans[["min", "max"]].drop_duplicates().itertuples(index=False)
    ]
    return spans.merge(pd.concat(parts), on=["min", "max"])[["unique_id", "ds", "workdays"]]


def _workdays(
    calendar: Calendar, frequency: Frequency, first: pd.Timestamp, last: pd.Timestamp, horizon: int
) -> pd.DataFrame:
    """Return ln(workdays) from the period dated `first` to `horizon` periods after the one dated `last`."""
    count = round(frequency.positions(pd.Series([first, last]))[1]) + 1 + horizon
    dates = pd.DatetimeIndex([first, *frequency.after(first, count)])
    day = pd.Timedelta(days=1)
    starts, ends = dates[:-1], dates[1:] - day
    if frequency.month_end:
        ends = starts
        starts = starts + day - pd.DateOffset(months=MONTHS[frequency.grain])
    found = [calendar.workdays(*span) for span in zip(starts, ends, strict=True)]
    return pd.DataFrame({"ds": dates[:-1], "workdays": np.log(np.maximum(found, 0.5))})


def _whole_series(rows: pd.DataFrame, periods: pd.DatetimeIndex, additive: bool) -> pd.DataFrame:
    """Return one series with every period from its first value on; a ratio keeps only the periods it has."""
    if not additive:
        return rows.sort_values("ds")
    whole = rows.set_index("ds").reindex(periods[periods >= rows["ds"].min()])
    whole["y"] = whole["y"].fillna(0.0)
    others = [column for column in whole.columns if column != "y"]
    whole[others] = whole[others].ffill()
    return whole.rename_axis("ds").reset_index()
