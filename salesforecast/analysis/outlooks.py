"""A forecast for its readers: what it comes to, who made it, what moves it, its parts that add up, and what if."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from salesforecast import forecasting
from salesforecast.errors import BadValue, NoData
from salesforecast.forecasting.groups import ALL
from salesforecast.forecasting.regression import REGRESSORS_USED

if TYPE_CHECKING:
    from salesforecast.workbench import Workbench

NAN = float("nan")
NAIVE = "seasonal_naive"
SHOWN = {"day": 120, "week": 104, "month": 36, "quarter": 20, "year": 12}  # periods of history beside a forecast
A_YEAR = {"day": 364, "week": 52, "month": 12, "quarter": 4, "year": 1}  # periods; days in whole weeks
WINDOWS = 6  # past moments from which the forecast is made again
USUAL_WORKDAYS = 21


def made(
    wb: Workbench, measure: str = "revenue", grain: str = "month", horizon: int = 6
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
    """Return the history of a measure, its forecast that knows the calendar ahead, and its backtest.

    The forecast ends with the rows of the seasonal naive method, the backtest holds all members of the combination and
    is None where the history is too short. Raises `NoData` where no period is complete.
    """
    panel = forecasting.panel(wb, measure, grain=grain)
    known = forecasting.calendar_regressors(wb.calendar, panel, horizon)
    ours = forecasting.forecast(panel, horizon, regressors=known)
    naive = forecasting.forecast(panel, horizon, models=NAIVE)
    both = ours if (ours["model"] == NAIVE).all() else pd.concat([ours, naive], ignore_index=True)
    try:
        past = forecasting.backtest(panel, horizon=horizon, windows=WINDOWS, regressors=known, members=True)
    except NoData:
        past = None
    return panel, both, past


def ours(forecast: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a forecast without those of the seasonal naive method beside them."""
    return forecast if (forecast["model"] == NAIVE).all() else forecast[forecast["model"] != NAIVE]


def beside_history(panel: pd.DataFrame, forecast: pd.DataFrame, grain: str = "month") -> pd.DataFrame:
    """Return the last periods of the history and the forecast after them, as a `forecast` chart draws them."""
    return pd.concat([panel.tail(SHOWN[grain]), ours(forecast)], ignore_index=True)


def periods(panel: pd.DataFrame, forecast: pd.DataFrame, grain: str = "month") -> pd.DataFrame:
    """Return the forecast period by period beside the same periods of last year.

    Columns: period_start, forecast, lo_80, hi_80, lo_95, hi_95, last_year, yoy (NaN without last year), note.
    """
    frame = ours(forecast).rename(columns={"ds": "period_start", "mean": "forecast"}).reset_index(drop=True)
    known = panel["y"].to_numpy(float)
    place = np.arange(len(frame)) + len(known) - A_YEAR[grain]
    frame["last_year"] = [known[each] if 0 <= each < len(known) else NAN for each in place]
    frame["yoy"] = frame["forecast"] / frame["last_year"].where(frame["last_year"] > 0) - 1
    bounds = [each for each in frame.columns if str(each).startswith(("lo_", "hi_"))]
    return frame[["period_start", "forecast", *bounds, "last_year", "yoy", "note"]]


def summary(
    panel: pd.DataFrame, forecast: pd.DataFrame, backtest: pd.DataFrame | None = None, grain: str = "month"
) -> dict[str, Any]:
    """Return what a forecast comes to over its horizon.

    Keys: n, first, last (periods), total, lo_80, hi_80 (of the sum, `forecasting.total`), last_year and yoy of the
    same periods (NaN where they are not all known), high, high_period (the largest period) and low, low_period.
    """
    frame = periods(panel, forecast, grain)
    whole = forecasting.total(ours(forecast), backtest, level=80).iloc[0]
    before = float(frame["last_year"].sum(skipna=False))
    top, bottom = frame.loc[frame["forecast"].idxmax()], frame.loc[frame["forecast"].idxmin()]
    return {
        "n": len(frame), "first": frame["period_start"].iloc[0], "last": frame["period_start"].iloc[-1],
        "total": float(whole["mean"]), "lo_80": float(whole["lo_80"]), "hi_80": float(whole["hi_80"]),
        "last_year": before, "yoy": float(whole["mean"]) / before - 1 if before > 0 else NAN,
        "high": float(top["forecast"]), "high_period": top["period_start"],
        "low": float(bottom["forecast"]), "low_period": bottom["period_start"],
    }  # fmt: skip


def leaderboard(backtest: pd.DataFrame | None) -> pd.DataFrame:
    """Return every method of a backtest, the best first (`forecasting.leaderboard`), with all its scores.

    Columns: model, skill (error below that of the seasonal naive method, 0.2 is a fifth less), those of `sf.accuracy`
    (`rows` as n), `naive` (flag of the yardstick). Raises `NoData` without a backtest.
    """
    ranked = forecasting.leaderboard(_tested(backtest))[["model", "skill"]]
    frame = ranked.merge(forecasting.accuracy(_tested(backtest)).rename(columns={"rows": "n"}), on="model")
    frame["naive"] = frame["model"] == NAIVE
    frame.loc[frame["naive"], "skill"] = NAN
    return frame


def by_lag(backtest: pd.DataFrame | None) -> pd.DataFrame:
    """Return how good the forecast was one period ahead, two, and so on: lag, wape, naive_wape, bias, coverage_80, n.

    Raises `NoData` without a backtest.
    """
    frame = forecasting.accuracy(_tested(backtest), by="step").rename(columns={"rows": "n", "step": "lag"})
    first = frame.drop_duplicates("lag")
    naive = frame[frame["model"] == NAIVE].set_index("lag")["wape"]
    return first.assign(naive_wape=first["lag"].map(naive).to_numpy())[
        ["lag", "wape", "naive_wape", "bias", "coverage_80", "n"]
    ].reset_index(drop=True)


def effects(wb: Workbench, panel: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    """Return what the calendar does to a series and whether its `forecast` uses it, said for steps that happen.

    One row per effect, used ones first: driver (`workdays`: one workday more than 21; `festival_before`,
    `festival_after`: the whole stretch before and after Spring Festival; `festival`, `holiday`: such a day), impact
    with impact_lo and impact_hi (relative change and its 95 % interval, NaN for a series with values at or below 0),
    used, unused (a code: why not; empty when used). `worse`: the effect is there, but forecasts with it were no better.
    """
    horizon = len(ours(forecast))
    known = forecasting.calendar_regressors(wb.calendar, panel, horizon)
    found = forecasting.effects(panel, known, horizon)
    if not ours(forecast)["note"].str.contains(REGRESSORS_USED).any():
        found.loc[found["used"], "reason"] = "worse"
        found["used"] = False
    step = np.where(found["regressor"] == "workdays", np.log((USUAL_WORKDAYS + 1) / USUAL_WORKDAYS), 1.0)
    relative = found["unit"] == "percent"
    for name, said in {"effect": "impact", "lo_95": "impact_lo", "hi_95": "impact_hi"}.items():
        found[said] = np.where(relative, (1 + found[name] / 100) ** step - 1, NAN)
    found = found.rename(columns={"regressor": "driver", "reason": "unused"})
    found = found.sort_values(["used", "unused"], ascending=[False, False], kind="stable")
    return found[["driver", "impact", "impact_lo", "impact_hi", "used", "unused"]].reset_index(drop=True)


def four_parts(trend: pd.DataFrame, grain: str = "month") -> pd.DataFrame:
    """Return a frame of `sales.trend` as value = trend + seasonal + calendar + remainder, for an `stl` chart.

    Columns: period_start, value and the four parts, the last periods only. Raises `NoData` (note `no_decomposition`)
    for a history that cannot be taken apart.
    """
    if trend["seasonal"].isna().all():
        raise NoData("The history has fewer than two seasons: it cannot be taken apart.", note="no_decomposition")
    frame = trend.assign(seasonal=trend["seasonal"] - trend["of_calendar"], calendar=trend["of_calendar"])
    columns = ["period_start", "value", "trend", "seasonal", "calendar", "remainder"]
    return frame.loc[frame["seasonal"].notna(), columns].tail(SHOWN[grain]).reset_index(drop=True)


def weights(wb: Workbench, panel: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return which methods make up the forecast of a panel of one series: model, weight (0 to 1), largest first."""
    known = forecasting.calendar_regressors(wb.calendar, panel, horizon)
    found = forecasting.weights(panel, horizon, regressors=known)
    found = found[found["weight"] > 0].sort_values("weight", ascending=False, kind="stable")
    return found[["model", "weight"]].reset_index(drop=True)


def methods(weights: pd.DataFrame, language: str) -> pd.DataFrame:
    """Return what each method of a forecast assumes, in the words of its registration: model, weight, assumption."""
    found = weights.copy()
    found["assumption"] = [
        getattr(forecasting.MODELS[name], f"assumptions_{language}") if name in forecasting.MODELS else ""
        for name in weights["model"]
    ]
    return found


def first_level(parts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the groups of the coarsest level of `parts`: member, forecast, lo_80, hi_80, last_year, yoy, share."""
    columns = [by[0], "forecast", "lo_80", "hi_80", "last_year", "yoy", "share"]
    return parts.loc[parts["depth"] == 1, columns].reset_index(drop=True)


def parts(
    wb: Workbench, by: str | Sequence[str], measure: str = "revenue", grain: str = "month", horizon: int = 6,
    levels: Sequence[Sequence[str]] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return coherent forecasts of a measure summed over the horizon: the whole, its groups, their members.

    `by` goes from coarse to fine (`["region", "team"]`); the forecasts of all levels are made apart and then reconciled
    (`forecasting.reconcile`), so that members add up to their group and groups to the whole, interval
    included. One row per node, the whole first, each group before its members, larger ones first: `depth` (0: the
    whole), scope_type and scope_id (the finest column that names the node, and its member), the `by` columns ("*" where
    a node sums them), forecast, lo_80, hi_80, last_year, yoy, share (of the whole). Raises `NoData` where no period is
    complete or a column has no value, `BadPanel` for a measure that does not add up.
    """
    columns = [by] if isinstance(by, str) else list(by)
    wb.require(*(f"sales.{each}" for each in columns))
    panel = forecasting.panel(wb, measure, by=columns, grain=grain)
    nodes = forecasting.aggregate(panel, columns, levels)
    known = forecasting.calendar_regressors(wb.calendar, nodes, horizon)
    base = forecasting.forecast(nodes, horizon, regressors=known)
    try:
        past = forecasting.backtest(nodes, horizon=horizon, regressors=known)
    except NoData:
        past = None
    coherent = forecasting.reconcile(base, nodes, past)
    drawn = forecasting.coherent_paths(base, nodes, past).groupby(["unique_id", "path"], sort=False)["y"].sum()
    spread = drawn.groupby("unique_id", sort=False).quantile([0.1, 0.9]).unstack()
    frame = coherent.groupby("unique_id", sort=False).agg(
        forecast=("mean", "sum"), **{each: (each, "first") for each in columns}
    )
    frame[["lo_80", "hi_80"]] = spread.loc[frame.index].to_numpy()
    frame["last_year"] = _last_year(nodes, horizon, A_YEAR[grain]).reindex(frame.index)
    frame["yoy"] = frame["forecast"] / frame["last_year"].where(frame["last_year"] > 0) - 1
    frame["depth"] = (frame[columns] != ALL).sum(axis=1)
    frame["share"] = frame["forecast"] / frame.loc[frame["depth"] == 0, "forecast"].iloc[0]
    finest = [max(each - 1, 0) for each in frame["depth"]]
    frame["scope_type"] = [columns[each] for each in finest]
    frame["scope_id"] = [row[each] for row, each in zip(frame[columns].to_numpy(), finest, strict=True)]
    order = ["depth", "scope_type", "scope_id", *columns, "forecast", "lo_80", "hi_80", "last_year", "yoy", "share"]
    return _nested(frame, columns)[order].reset_index(drop=True)


def scenarios(
    wb: Workbench, panel: pd.DataFrame, horizon: int, changes: Mapping[str, Mapping[str, Any]],
    backtest: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return what the horizon comes to under each scenario (`forecasting.scenarios`).

    `changes` maps names to changes of drivers (`growth`, `level`, calendar columns); the first is the base. Columns:
    scenario, forecast, lo_80, hi_80, gap_to_base (forecast − base), change_pct (of the base); NaN for the base.
    """
    if not changes:
        raise BadValue('No scenarios. Name some: {"base": {}, "up": {"growth": 0.05}}.')
    known = forecasting.calendar_regressors(wb.calendar, panel, horizon)
    made = forecasting.scenarios(panel, horizon, changes, regressors=known)
    rows = []
    for name, group in made.groupby("scenario", sort=False):
        whole = forecasting.total(group.drop(columns="scenario"), backtest, level=80).iloc[0]
        rows.append({"scenario": name, "forecast": whole["mean"], "lo_80": whole["lo_80"], "hi_80": whole["hi_80"]})
    frame = pd.DataFrame(rows)
    base = float(frame["forecast"].iloc[0])
    frame["gap_to_base"] = frame["forecast"] - base
    frame["change_pct"] = frame["gap_to_base"] / base if base > 0 else NAN
    frame.loc[0, ["gap_to_base", "change_pct"]] = NAN
    return frame


def _tested(backtest: pd.DataFrame | None) -> pd.DataFrame:
    if backtest is None:
        raise NoData("The history is too short to test forecasts on.", note="no_track_record")
    return backtest


def _last_year(nodes: pd.DataFrame, horizon: int, season: int) -> pd.Series:
    """Return per series the sum of the periods a year before the horizon; NaN where they are not all known."""
    lag = nodes.groupby("unique_id", sort=False).cumcount(ascending=False)
    window = nodes[(lag < season) & (lag >= season - horizon)]
    sums = window.groupby("unique_id", sort=False)["y"].agg(["sum", "size"])
    return sums["sum"].where(sums["size"] == horizon)


def _nested(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the nodes with the whole first and each group before its members, larger ones first."""
    keys = []
    for depth in range(1, len(columns) + 1):
        group = list(columns[:depth])
        size = frame.groupby(group, sort=False)["forecast"].transform("max")
        keys.append(-size.where(frame[group[-1]] != ALL, np.inf).to_numpy())
    return frame.iloc[np.lexsort(keys[::-1])]
