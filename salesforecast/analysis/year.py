"""The fiscal year: its months so far, what they are expected to come to, and how good such forecasts have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast import forecasting, measures
from salesforecast.analysis import goals
from salesforecast.analysis.running import remainder
from salesforecast.analysis.sections import section
from salesforecast.errors import BadValue, NoData
from salesforecast.findings import Finding

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

NAN = float("nan")
NAIVE = "seasonal_naive"
HORIZON = 12  # months ahead: wherever the year stands, its end is in sight
LEAST_COVERAGE = 0.6  # of outcomes inside the 80 % interval, below which a probability is not stated


def months(wb: Workbench, period: str | Period, measure: str = "revenue") -> pd.DataFrame:
    """Return the twelve months of the fiscal year of a period.

    Columns: period_start, actual (NaN for months not begun), target, last_year, attainment (NaN while a month is
    unfinished), complete.
    """
    period = wb.period(period)
    year = wb.calendar.period(period.end, "year")
    before = wb.calendar.last_year(year)
    found = measures.values(wb, [measure], grain="month", start=before.start, end=min(year.end, wb.as_of))
    sold = pd.Series(found[measure].to_numpy(float), index=pd.DatetimeIndex(found["period_start"]))
    rows = []
    for month in wb.calendar.periods(year.start, year.end, "month"):
        begun, complete = month.start <= wb.as_of, month.start <= wb.as_of and wb.finished(month)
        goal = goals.period_target(wb, month, measure)
        actual = sold.get(pd.Timestamp(month.start), 0.0) if begun else NAN
        base = wb.calendar.last_year(month)
        rows.append(
            {
                "period_start": pd.Timestamp(month.start),
                "actual": actual,
                "target": goal.value,
                "last_year": sold.get(pd.Timestamp(base.start), 0.0) if base.end >= wb.bounds[0] else NAN,
                "attainment": goals.attained(actual, goal) if complete else NAN,
                "complete": complete,
            }
        )
    return pd.DataFrame(rows)


@section("forecast", needs=("sales",))
def outlook(
    wb: Workbench,
    period: str | Period,
    forecast: pd.DataFrame | None = None,
    backtest: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the months of the fiscal year of a period, actual where it is known and forecast where it is not.

    When that year is complete, it is the next year's months that are returned: there is no forecast left in a past one.
    `forecast` is a frame of `sf.forecast` for monthly revenue of the whole scope, one row per month (rows of the
    seasonal naive method beside those of another are left aside), `backtest` one of `sf.backtest`, by which the
    interval of the year is measured; without them both are made here (`ahead`). Columns:
    period_start, actual, forecast, lo_80, hi_80, target, kind (`actual`; `partial` the month in progress; `forecast`).
    Forecast columns are NaN where the horizon does not reach, and everywhere when no month is complete.

    The month in progress comes to what is sold so far plus what its remaining days usually bring
    (`running.remainder`).

    `attrs` holds the landing of the year when the forecast reaches its end: landing, lo_80, hi_80, target, p_reach,
    actual (of complete months), period (id of the year). `p_reach` is NaN without a target, and when the backtest does
    not bear the forecast out: no better than repeating last year, or fewer than 60 % of outcomes inside the 80 %
    interval. Raises `BadValue` for a forecast with several rows in a month.
    """
    year = wb.calendar.period(wb.period(period).end, "year")
    year = wb.calendar.shift(year, 1) if wb.finished(year) else year
    frame = months(wb, year)
    if forecast is None:
        forecast, backtest = ahead(wb)
    months_ahead = by_month(forecast)
    frame["kind"] = np.select([frame["complete"], frame["actual"].notna()], ["actual", "partial"], "forecast")
    to_come = frame[~frame["complete"]].set_index("period_start")
    rest = remainder(wb, months_ahead[months_ahead.index.isin(to_come.index)])
    shown = rest[["mean", "lo_80", "hi_80"]].add(to_come["actual"].reindex(rest.index).fillna(0.0), axis=0)
    shown = shown.reindex(pd.DatetimeIndex(frame["period_start"])).reset_index(drop=True)
    frame = frame.join(shown.rename(columns={"mean": "forecast"}))
    result = frame[["period_start", "actual", "forecast", "lo_80", "hi_80", "target", "kind"]]
    if len(rest) and len(rest) == len(to_come):
        result.attrs = _landing(wb, year, frame, rest.reset_index(drop=True), backtest)
    return result


def ahead(wb: Workbench) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the forecast of monthly revenue a year ahead, and its backtest at six moments of the past.

    The forecast is a frame of `sf.forecast` that knows the workdays ahead, followed by the rows of the seasonal naive
    method; without rows where no month is complete. The backtest looks six months ahead; None where the history is
    too short for one.
    """
    try:
        history = forecasting.panel(wb)
    except NoData:
        return pd.DataFrame({name: [] for name in ("ds", "model", "mean", "lo_80", "hi_80")}), None
    known = forecasting.calendar_regressors(wb.calendar, history, HORIZON)
    ours = forecasting.forecast(history, HORIZON, regressors=known)
    naive = forecasting.forecast(history, HORIZON, models=NAIVE)
    both = ours if (ours["model"] == NAIVE).all() else pd.concat([ours, naive], ignore_index=True)
    try:
        return both, _backtest(wb, history)
    except NoData:
        return both, None


def by_month(forecast: pd.DataFrame, naive: bool = False) -> pd.DataFrame:
    """Return a monthly forecast of one series indexed by month: its main rows, or those of the seasonal naive method.

    Raises `BadValue` for several rows in a month.
    """
    rows = forecast
    if "model" in forecast.columns and (naive or not (forecast["model"] == NAIVE).all()):
        rows = forecast[(forecast["model"] == NAIVE) == naive]
    rows = rows.set_index(pd.DatetimeIndex(rows["ds"]))
    if rows.index.has_duplicates:
        raise BadValue("The outlook takes the forecast of one series, one row per month. Forecast the total, no `by`.")
    return rows


def track_record(wb: Workbench, backtest: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how well the forecasts of `outlook` would have done at six moments of the past, six months ahead.

    A frame of `sf.accuracy`: the combination first, the seasonal naive method last. `backtest` is that of `ahead`,
    made here when it is not given. Raises `NoData` when the history is too short to tell.
    """
    return forecasting.accuracy(_backtest(wb, forecasting.panel(wb)) if backtest is None else backtest)


def outlook_findings(outlook: pd.DataFrame, period: str) -> list[Finding]:
    """Return what an `outlook` says about the year: kind `year_landing`, or `year_landing_short` below the target.

    Its amount is landing − target; its certainty the larger of the probabilities of reaching and of missing the target.
    """
    facts = outlook.attrs
    if not facts or not facts["target"] > 0 or np.isnan(facts["p_reach"]):
        return []
    gap = facts["landing"] - facts["target"]
    values = {**facts, "gap_size": abs(gap), "year": facts["period"]}
    kind, action = ("year_landing_short", "close_gap") if gap < 0 else ("year_landing", None)
    certainty = max(facts["p_reach"], 1 - facts["p_reach"])
    return [Finding(kind, "forecast", "revenue", gap, certainty, period, values=values, action=action)]


def _backtest(wb: Workbench, history: pd.DataFrame) -> pd.DataFrame:
    known = forecasting.calendar_regressors(wb.calendar, history, 6)
    return forecasting.backtest(history, horizon=6, windows=6, regressors=known)


def _borne_out(backtest: pd.DataFrame) -> bool:
    record = forecasting.accuracy(backtest)
    ours, naive = record.iloc[0], record.iloc[-1]
    return bool(ours["wape"] < naive["wape"] and ours["coverage_80"] >= LEAST_COVERAGE)


def _landing(
    wb: Workbench, year: Period, frame: pd.DataFrame, rest: pd.DataFrame, backtest: pd.DataFrame | None
) -> dict[str, float | str]:
    goal = goals.period_target(wb, year)
    so_far = float(frame["actual"].sum())
    total = forecasting.total(rest, backtest, level=80, target=goal.value - so_far if goal.found else None).iloc[0]
    return {
        "period": year.id,
        "actual": float(frame.loc[frame["complete"], "actual"].sum()),
        **{
            key: so_far + float(total[name])
            for key, name in (("landing", "mean"), ("lo_80", "lo_80"), ("hi_80", "hi_80"))
        },
        "target": goal.value,
        "p_reach": float(total["p_reach"]) if backtest is None or _borne_out(backtest) else NAN,
    }
