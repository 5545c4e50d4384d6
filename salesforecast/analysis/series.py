"""A measure over time: one row per period, with explicit zeros."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from salesforecast import measures
from salesforecast.calendar import Period
from salesforecast.errors import BadValue, NoData, lookup
from salesforecast.schema import GRAINS

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench


def series(
    wb: Workbench,
    measure: str = "revenue",
    grain: str = "month",
    by: Sequence[str] = (),
    periods: int | None = None,
    until: str | Period | date | None = None,
) -> pd.DataFrame:
    """Return a measure period by period, up to `until` (default: the period of the as-of date).

    Columns: period_start, the `by` columns, value, complete, workdays. Every period between the first sale and the
    last period is there for every member; without a sale an additive measure is 0 and a ratio NaN. `periods` keeps
    only the last so many. `complete` is False while workdays of the period are still to come. Members without a
    name keep the null code.
    """
    definition = lookup(measures.MEASURES, measure, "measure")
    if grain not in GRAINS:
        raise BadValue(f"No grain {grain!r}. Use one of: {', '.join(GRAINS)}.")
    first, _ = wb.bounds
    last = _last_period(wb, grain, until)
    window = wb.calendar.periods(first, last.end, grain)
    window = window[-periods:] if periods else window
    if not window:
        raise NoData(f"No sales up to {last.id}: the data begins on {first}. Choose a later period.")
    start, end = window[0].start, min(window[-1].end, wb.as_of)
    found = measures.values(wb, [measure], by=list(by), grain=grain, start=start, end=end)
    grid = pd.DataFrame(
        {
            "period_start": pd.to_datetime([each.start for each in window]),
            "complete": [wb.finished(each) for each in window],
            "workdays": [wb.calendar.workdays(each.start, min(each.end, wb.as_of)) for each in window],
        }
    )
    if by:
        members = found[list(by)].drop_duplicates().sort_values(list(by), ignore_index=True)
        grid = members.merge(grid, how="cross")
    found = found.rename(columns={measure: "value"})
    found["period_start"] = pd.to_datetime(found["period_start"]).astype(grid["period_start"].dtype)
    frame = grid.merge(found, on=[*by, "period_start"], how="left")
    frame["value"] = frame["value"].astype("float64")
    if definition.additive:
        frame["value"] = frame["value"].fillna(0.0)
    return frame[["period_start", *by, "value", "complete", "workdays"]]


def daily(wb: Workbench, period: str | Period, measure: str = "revenue") -> pd.DataFrame:
    """Return the days of a period up to the as-of date: date, value, cumulative, workday.

    A day without a sale is 0. `measure` must be additive.
    """
    period = wb.period(period)
    end = min(period.end, wb.as_of)
    days = wb.calendar.frame(period.start, end)[["date", "workday"]]
    found = measures.values(wb, [measure], grain="day", start=period.start, end=end)
    values = found.set_index(pd.to_datetime(found["period_start"]))[measure].astype("float64")
    days["value"] = values.reindex(pd.DatetimeIndex(days["date"])).fillna(0.0).to_numpy()
    days["cumulative"] = days["value"].cumsum()
    return days[["date", "value", "cumulative", "workday"]]


def _last_period(wb: Workbench, grain: str, until: str | Period | date | None) -> Period:
    if isinstance(until, str | Period):
        until = wb.period(until).end
    day = until or wb.as_of
    return wb.calendar.period(min(day, wb.as_of), grain)
