"""The fiscal year: its months so far, what they are expected to come to, and how good such forecasts have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast import forecasting, measures
from salesforecast.analysis import goals
from salesforecast.analysis.progress import progress
from salesforecast.analysis.sections import section
from salesforecast.errors import BadValue, NoData
from salesforecast.findings import Finding

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

NAN = float("nan")
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
    `forecast` is a frame of `sf.forecast` for monthly revenue of the whole scope, one row per month, `backtest` one of
    `sf.backtest`, by which the interval of the year is measured; without them both are made here. Columns:
    period_start, actual, forecast, lo_80, hi_80, target, kind (`actual`; `partial` the month in progress; `forecast`).
    Forecast columns are NaN where the horizon does not reach, and everywhere when no month is complete.

    The month in progress comes to what is sold so far plus the part of its forecast that the rest of the month usually
    brings (1 − `progress.progress`, seasonal or by workdays as the settings define). Its interval shrinks with the
    square root of that part and does not reach below what is sold.

    `attrs` holds the landing of the year when the forecast reaches its end: landing, lo_80, hi_80, target, p_reach,
    actual (of complete months), period (id of the year). `p_reach` is NaN without a target, and when the backtest does
    not bear the forecast out: no better than repeating last year, or fewer than 60 % of outcomes inside the 80 %
    interval. Raises `BadValue` for a forecast with several rows in a month.
    """
    year = wb.calendar.period(wb.period(period).end, "year")
    year = wb.calendar.shift(year, 1) if wb.finished(year) else year
    frame = months(wb, year)
    if forecast is None:
        forecast, backtest = _own_forecast(wb)
    ahead = forecast.set_index(pd.DatetimeIndex(forecast["ds"]))
    if ahead.index.has_duplicates:
        raise BadValue("The outlook takes the forecast of one series, one row per month. Forecast the total, no `by`.")
    frame["kind"] = np.select([frame["complete"], frame["actual"].notna()], ["actual", "partial"], "forecast")
    to_come = frame[~frame["complete"]].set_index("period_start")
    rest = _remainder(wb, ahead[ahead.index.isin(to_come.index)], to_come.index[to_come["kind"] == "partial"])
    shown = rest[["mean", "lo_80", "hi_80"]].add(to_come["actual"].reindex(rest.index).fillna(0.0), axis=0)
    shown = shown.reindex(pd.DatetimeIndex(frame["period_start"])).reset_index(drop=True)
    frame = frame.join(shown.rename(columns={"mean": "forecast"}))
    result = frame[["period_start", "actual", "forecast", "lo_80", "hi_80", "target", "kind"]]
    if len(rest) and len(rest) == len(to_come):
        result.attrs = _landing(wb, year, frame, rest.reset_index(drop=True), backtest)
    return result


def track_record(wb: Workbench) -> pd.DataFrame:
    """Return how well the forecasts of `outlook` would have done at six moments of the past, six months ahead.

    A frame of `sf.accuracy`: the combination first, the seasonal naive method last. Raises `NoData` when the history
    is too short to tell.
    """
    return forecasting.accuracy(_own_backtest(wb))


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


def _own_forecast(wb: Workbench) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return forecast and backtest of monthly revenue; no rows, or None, where the history is too short."""
    try:
        history = forecasting.panel(wb)
        known = forecasting.calendar_regressors(wb.calendar, history, HORIZON)
        ahead = forecasting.forecast(history, HORIZON, regressors=known)
    except NoData:
        return pd.DataFrame({name: [] for name in ("ds", "mean", "lo_80", "hi_80")}), None
    try:
        return ahead, _own_backtest(wb)
    except NoData:
        return ahead, None


def _own_backtest(wb: Workbench) -> pd.DataFrame:
    history = forecasting.panel(wb)
    known = forecasting.calendar_regressors(wb.calendar, history, 6)
    return forecasting.backtest(history, horizon=6, windows=6, regressors=known)


def _borne_out(backtest: pd.DataFrame) -> bool:
    record = forecasting.accuracy(backtest)
    ours, naive = record.iloc[0], record.iloc[-1]
    return bool(ours["wape"] < naive["wape"] and ours["coverage_80"] >= LEAST_COVERAGE)


def _remainder(wb: Workbench, ahead: pd.DataFrame, running: pd.DatetimeIndex) -> pd.DataFrame:
    """Return forecasts by month with what is left of the month in progress.

    A share of its mean, and the root of that share of its interval: what the remaining days bring varies independently
    of the days before, and when a month's sales come is uncertain too.
    """
    rest = ahead.copy()
    bounds = [name for name in rest.columns if str(name).startswith(("lo_", "hi_"))]
    for start in rest.index.intersection(running):
        month = wb.calendar.period(start, "month")
        curve = progress(wb, month).iloc[(wb.as_of - month.start).days]
        left = 1 - curve["even" if wb.settings.definitions.time_progress == "workdays" else "seasonal"]
        whole = float(rest.loc[start, "mean"])
        widths = rest.loc[start, bounds].astype(float) - whole
        # What is sold is sold: only a month expected to be negative takes something back.
        rest.loc[start, bounds] = (whole * left + widths * left**0.5).clip(lower=min(0.0, whole * left))
        rest.loc[start, "mean"] = whole * left
    return rest


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
