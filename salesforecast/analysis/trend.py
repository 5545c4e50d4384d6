"""Trend, season and what neither explains: STL on a series from which the moving calendar is taken out first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.analysis.sections import section
from salesforecast.analysis.series import series
from salesforecast.calendar import Period

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench

SEASONS = {"day": 7, "week": 52, "month": 12, "quarter": 4, "year": 1}
ANOMALY_Z = 3.5  # Iglewicz and Hoaglin 1993: modified z-scores beyond 3.5 are outliers
NORMAL_95 = 1.96
# A remainder this small is rounding: 0.1 % of the level.
SMALLEST_SPREAD = 0.001
# Days to Spring Festival (negative after it): stocking up; then, from the 20th of the twelfth lunar month to the 15th
# of the first, business slows down; then catching up.
FESTIVAL_DAYS = ((11, 28), (-14, 10), (-28, -15))
_PARTS = ["trend", "seasonal", "of_calendar", "remainder", "z", "expected", "expected_lo", "expected_hi", "adjusted"]


@dataclass(frozen=True)
class Decomposition:
    """The parts of one series, in its own unit: value = trend + seasonal + remainder.

    `adjusted` is the value without season and calendar effects; `calendar` says whether calendar effects were found;
    `slope` is the growth per season of the last two seasons (relative when `log`), with its 95 % interval.
    """

    parts: pd.DataFrame
    log: bool
    calendar: bool
    slope: tuple[float, float, float]


@section("trend")
def trend(
    wb: Workbench,
    measure: str = "revenue",
    grain: str = "month",
    period: str | Period | None = None,
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Return a series up to a period with its trend, its season, its calendar effects and its anomalies.

    The columns of `series` plus, in the unit of the measure: trend; seasonal (season and calendar effects together);
    of_calendar (what of it moves with the calendar: workdays, Spring Festival);
    remainder (value − trend − seasonal); z (robust z of the remainder); anomaly (|z| > 3.5; missing where z is);
    expected (trend + seasonal) and the range expected_lo to expected_hi (95 %); adjusted (seasonally adjusted value);
    event (`spring_festival` in the month or week of its first day, else None).

    Method: STL (on logarithms when all values are positive) with a season that stays the same over the years,
    repeated with anomalies replaced by their expectation until none is left. Before it, a robust regression on season,
    trend, workdays and days around Spring Festival takes out the calendar effects that are significant (|t| > 2).
    z divides by the median absolute deviation. The unfinished period is left out: its parts are NaN. With fewer than
    two seasons all parts are NaN.

    `attrs` (without `by`): slope, slope_lo, slope_hi (growth per season over the last two seasons, 95 % interval of a
    regression with autocorrelation-robust errors), log, calendar, note (`no_decomposition` or empty).
    """
    frame = series(wb, measure, grain, by=by, until=period)
    effects = calendar_effects(wb, frame.drop_duplicates("period_start"), grain)
    groups = [group for _, group in frame.groupby(list(by), dropna=False, sort=False)] if by else [frame]
    pieces, found = [], None
    for group in groups:
        full = group["complete"].to_numpy(bool) & group["value"].notna().to_numpy()
        found = decompose(group["value"].to_numpy()[full], SEASONS[grain], effects[full[: len(effects)]])
        parts = pd.DataFrame(np.nan, index=group.index, columns=_PARTS)
        if found:
            parts.loc[full] = found.parts.to_numpy()
        pieces.append(group.join(parts))
    result = pd.concat(pieces) if pieces else frame.reindex(columns=[*frame.columns, *_PARTS])
    result["event"] = _events(wb, result["period_start"], grain)
    result["anomaly"] = (result["z"].abs() > ANOMALY_Z).astype("boolean").mask(result["z"].isna())
    if not by:
        slope = found.slope if found else (np.nan, np.nan, np.nan)
        result.attrs = {
            **dict(zip(("slope", "slope_lo", "slope_hi"), slope, strict=True)),
            "log": bool(found and found.log),
            "calendar": bool(found and found.calendar),
            "note": "" if found else "no_decomposition",
        }
    return result


def _events(wb: Workbench, starts: pd.Series, grain: str) -> list[str | None]:
    """Return the code of a known event in each month or week, None where there is none: Spring Festival so far."""
    if grain not in ("month", "week"):
        return [None] * len(starts)
    festivals = {wb.calendar.lunar_new_year_date(year) for year in starts.dt.year.unique()} - {None}
    beginnings = {pd.Timestamp(wb.calendar.period(day, grain).start) for day in festivals if day}
    return ["spring_festival" if start in beginnings else None for start in starts]


def decompose(values: np.ndarray, season: int, effects: np.ndarray | None = None) -> Decomposition | None:
    """Decompose one gapless series, or return None when it has fewer than two seasons or does not vary.

    `effects` holds one row per value and one column per calendar effect.

    >>> decompose(np.arange(10.0), season=12) is None
    True
    """
    count = len(values)
    if season < 2 or count < 2 * season or np.ptp(values) == 0:
        return None
    log = bool((values > 0).all())
    y = np.log(values) if log else values.astype(float)
    moved = _calendar_part(y, season, effects)
    smallest = SMALLEST_SPREAD * (1.0 if log else float(np.abs(values).mean()))
    level, cycle, spread = _robust_stl(y - moved, season, smallest)
    cycle = cycle + moved
    rest = y - level - cycle
    back = np.exp if log else np.asarray
    expected = back(level + cycle)
    adjusted = y - cycle
    z = rest / spread
    parts = pd.DataFrame(
        {
            "trend": back(level),
            "seasonal": expected - back(level),
            "of_calendar": expected - back(level + cycle - moved),
            "remainder": values - expected,
            "z": z,
            "expected": expected,
            "expected_lo": back(level + cycle - NORMAL_95 * spread),
            "expected_hi": back(level + cycle + NORMAL_95 * spread),
            "adjusted": back(adjusted),
        }
    )
    usual = np.where(np.abs(z) > ANOMALY_Z, level, adjusted)
    return Decomposition(parts, log, bool(np.any(moved)), _slope(usual, season, log))


def calendar_effects(wb: Workbench, frame: pd.DataFrame, grain: str) -> np.ndarray:
    """Return workdays (logarithm) and the shares of days before, at and after Spring Festival, one row per period."""
    if grain == "day":
        return np.empty((len(frame), 0))
    columns = [np.log(np.maximum(frame["workdays"].to_numpy(float), 1.0))]
    if wb.calendar.lunar_new_year and len(frame):
        starts = [each.date() for each in frame["period_start"]]
        ends = [wb.calendar.period(each, grain).end for each in starts]
        days = wb.calendar.frame(starts[0], ends[-1])
        distance = pd.to_numeric(days["days_to_festival"], errors="coerce").astype("float64")
        index = pd.DatetimeIndex(days["date"])
        for stretch in FESTIVAL_DAYS:
            near = distance.between(*stretch).astype("float64").to_numpy()
            columns.append(np.array([_mean(near, index, *each) for each in zip(starts, ends, strict=True)]))
    return np.column_stack(columns)


def _mean(values: np.ndarray, index: pd.DatetimeIndex, first: date, last: date) -> float:
    inside = values[index.searchsorted(pd.Timestamp(first)) : index.searchsorted(pd.Timestamp(last), "right")]
    return float(inside.mean()) if len(inside) else 0.0


def _robust_stl(y: np.ndarray, season: int, smallest: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return trend, season and the robust spread of the remainder.

    The season is the mean over the years (degree 0, a long window): with three to five years a drifting one would
    swallow the anomalies. STL's own robust weights are not used: a calendar month in which every year looks odd gets
    no weight at all, and STL then follows it exactly. Instead the most anomalous value is replaced by its
    expectation and the series decomposed again, until none is left or a tenth of the values is replaced.
    """
    from statsmodels.tsa.seasonal import STL

    count = len(y)
    # Season and trend take up degrees of freedom (a trend about one per season and a half); what is left looks
    # smaller than the noise it comes from.
    free = max(count - season - 1.5 * count / season, count / 3)
    usual, odd = y.copy(), np.zeros(count, bool)
    while True:
        for _ in range(3):  # the expectation of a replaced value depends on the value: three rounds settle it
            fit = STL(usual, period=season, seasonal=10 * (2 * (count // season) + 1) + 1, seasonal_deg=0).fit()
            level, cycle = np.asarray(fit.trend), np.asarray(fit.seasonal)
            usual = np.where(odd, level + cycle, y)
            if not odd.any():
                break
        rest = y - level - cycle
        spread = max(1.4826 * float(np.median(np.abs(rest))) * np.sqrt(count / free), smallest)
        size = np.where(odd, 0.0, np.abs(rest) / spread)
        if size.max() <= ANOMALY_Z or odd.sum() >= count // 10:
            return level, cycle, spread
        odd[size.argmax()] = True


def _calendar_part(y: np.ndarray, season: int, effects: np.ndarray | None) -> np.ndarray:
    """Return what workdays and Spring Festival add to each value, beyond the mean of its place in the season."""
    nothing = np.zeros(len(y))
    if effects is None or not effects.size:
        return nothing
    from statsmodels.robust.robust_linear_model import RLM

    place = np.arange(len(y)) % season
    dummies = (place[:, None] == np.arange(season)).astype(float)
    time = np.linspace(-1.0, 1.0, len(y))
    # A short history has no degrees of freedom to spend on a bent trend.
    powers = [time**power for power in ((1, 2, 3) if len(y) >= 2.5 * season else (1,))]
    moving = effects - dummies @ (dummies.T @ effects / dummies.sum(axis=0)[:, None])
    kept = [column for column in range(moving.shape[1]) if np.ptp(moving[:, column]) > 1e-9]
    while kept:
        design = np.column_stack([dummies, *powers, moving[:, kept]])
        fit = RLM(y, design).fit()
        size = np.abs(fit.tvalues[-len(kept) :])
        if not np.isfinite(size).all():
            return nothing
        if size.min() > 2.0:
            return moving[:, kept] @ fit.params[-len(kept) :]
        kept.pop(int(size.argmin()))
    return nothing


def _slope(adjusted: np.ndarray, season: int, log: bool) -> tuple[float, float, float]:
    """Return growth per season over the last two seasons and its 95 % interval."""
    from statsmodels.regression.linear_model import OLS
    from statsmodels.tools.tools import add_constant

    recent = adjusted[-2 * season :]
    if len(recent) < 6:
        return (np.nan, np.nan, np.nan)
    time = np.arange(len(recent)) / season
    fit = OLS(recent, add_constant(time)).fit(
        cov_type="HAC", cov_kwds={"maxlags": max(1, season // 4), "use_correction": True}, use_t=True
    )
    lo, hi = fit.conf_int()[1]
    change = np.expm1 if log else np.asarray
    return (float(change(fit.params[1])), float(change(lo)), float(change(hi)))
