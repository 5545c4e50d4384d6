"""Forecasts of the past, made with nothing but what was known then, beside what happened."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from salesforecast.errors import NoData
from salesforecast.forecasting.checks import Series, by_text, check_season, read_series, tidy_panel
from salesforecast.forecasting.ensemble import names_of
from salesforecast.forecasting.forecasts import check_horizon, forecast_series, interval_columns
from salesforecast.forecasting.frequency import Frequency, infer
from salesforecast.forecasting.intervals import check_levels, naive_scale
from salesforecast.forecasting.models import seasonal_naive


def backtest(
    panel: pd.DataFrame,
    horizon: int,
    windows: int = 3,
    *,
    level: float | Sequence[float] = (80, 95),
    season: int | None = None,
    models: str | Sequence[str] = "auto",
    regressors: pd.DataFrame | None = None,
    members: bool = False,
) -> pd.DataFrame:
    """Repeat `forecast` as it would have been made at the last `windows` cutoffs of every series.

    The forecast at a cutoff is exactly `forecast(panel[panel.ds <= cutoff], ...)`: values, weights and intervals use
    no later row (regressors are known in advance). The last cutoff lies one horizon before the end of a series; the
    earlier ones lie one horizon apart where history allows, closer where it does not, and a series shorter than
    horizon + 2 periods has none.

    Returns the columns of `forecast` and `cutoff` (last period known), `y` (what happened), `naive` (the seasonal
    naive forecast) and `scale` (mean absolute in-sample error of the seasonal naive method at the cutoff, for MASE
    and MSIS; 0 for a constant history). One row per series, cutoff and future period whose outcome is known.

    Raises like `forecast`; `NoData` where no series is long enough.

    >>> sales = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=5, freq="MS"), "y": 3.0})
    >>> backtest(sales, 1, windows=2)[["ds", "cutoff", "mean", "y"]]
              ds     cutoff  mean    y
    0 2026-04-01 2026-03-01   3.0  3.0
    1 2026-05-01 2026-04-01   3.0  3.0
    """
    check_horizon(horizon)
    check_horizon(windows, "windows")
    levels = check_levels(level)
    names = names_of(models)
    tidy = tidy_panel(panel)
    frequency = infer(tidy)
    season = check_season(season, frequency)
    actual = tidy.loc[tidy["y"].notna(), ["unique_id", "ds", "y"]]
    cutoffs = _cutoffs(read_series(tidy, frequency, season, horizon, None), season, horizon, windows)
    parts = []
    for cutoff in sorted(cutoffs):
        known = actual[actual["ds"] <= cutoff]
        series = read_series(known, frequency, season, horizon, regressors)
        made = forecast_series(series, frequency, season, horizon, levels, names, members)
        references = [_reference(each, frequency, season, horizon) for each in series]
        made = made[made["unique_id"].isin(cutoffs[cutoff])].assign(cutoff=cutoff)
        parts.append(made.merge(pd.concat(references), on=["unique_id", "ds"]).merge(actual, on=["unique_id", "ds"]))
    columns = ["unique_id", "ds", "model", "mean", *interval_columns(levels), "note", "cutoff", "y", "naive", "scale"]
    # Stable: inside a series and cutoff the order of `forecast` stays.
    whole = pd.concat(parts)[columns].sort_values("cutoff", kind="stable")
    return whole.sort_values("unique_id", key=by_text, kind="stable", ignore_index=True)


def _cutoffs(series: Sequence[Series], season: int, horizon: int, windows: int) -> dict[pd.Timestamp, list[object]]:
    """Return which series are forecast again at which date."""
    cutoffs: dict[pd.Timestamp, list[object]] = {}
    for each in series:
        last = len(each.y) - horizon  # periods known at the last cutoff
        least = min(2 * season + 1, max(2, last - 1))
        step = min(horizon, max(1, (last - least) // max(1, windows - 1)))
        for known in range(last, 1, -step)[:windows]:
            cutoffs.setdefault(each.ds[known - 1], []).append(each.unique_id)
    if not cutoffs:
        longest = max(len(each.y) for each in series)
        raise NoData(
            f"The longest series has {longest} periods; a backtest over {horizon} needs {horizon + 2}. "
            "Choose a shorter horizon.",
            note="no_track_record",
        )
    return cutoffs


def _reference(series: Series, frequency: Frequency, season: int, horizon: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unique_id": [series.unique_id] * horizon,
            "ds": frequency.after(series.ds[-1], horizon),
            "naive": seasonal_naive(series.y, season, horizon),
            "scale": naive_scale(series.y, season),
        }
    )
