"""The sum over a horizon (a quarter, the rest of a year): its interval and the chance of reaching a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from salesforecast.errors import BadValue
from salesforecast.forecasting.forecasts import interval_columns
from salesforecast.forecasting.intervals import check_levels
from salesforecast.forecasting.models import COMBINATION

PRIOR_SUMS = 6.0  # backtested sums that the prior correlation of 0.5 between periods is worth
_FREEDOM = 5.0  # of the Student t that stands for the shape of the errors


def total(
    forecast: pd.DataFrame,
    backtest: pd.DataFrame | None = None,
    level: float | Sequence[float] = (80, 95),
    target: float | Mapping[object, float] | None = None,
) -> pd.DataFrame:
    """Sum a forecast over its periods.

    The sum of lower bounds is no lower bound of the sum: errors of neighbouring months partly cancel. How much they
    do is learned from `backtest`: the error of each backtested sum over the same number of periods (from the first
    one on) is compared with the sum of the stated widths, pooled over all series and cutoffs and shrunk to a
    correlation of 0.5 between periods (all that is known without a backtest).

    `forecast` needs at least one interval level. `target` is one amount for every series or a mapping from
    `unique_id`. Returns one row per series: `unique_id, mean`, a pair `lo_80, hi_80` for each level, `p_reach` (0 to
    1, the chance that the sum reaches the target; NaN without target). Lower bounds are 0 where the forecast's are
    never below it. Rows of members are left out.

    >>> months = pd.DataFrame({"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": 100.0,
    ...                        "lo_80": 80.0, "hi_80": 120.0, "note": ""})
    >>> total(months, level=80, target=200.0).round(1)
      unique_id   mean  lo_80  hi_80  p_reach
    0         A  200.0  165.4  234.6      0.5
    """
    levels = check_levels(level)
    ours = _main_rows(forecast)
    sums = _sums(ours, ["unique_id"])
    spread = _spread(sums["periods"].to_numpy(), _past_ratios(backtest, sums)) * sums["width"].to_numpy()
    mean = sums["mean"].to_numpy()
    result = {"unique_id": sums["unique_id"], "mean": mean}
    for each in levels:
        half = spread * _t_quantile((1 + each / 100) / 2)
        low = mean - half
        result[f"lo_{each:g}"] = np.where(sums["non_negative"], np.maximum(low, 0.0), low)
        result[f"hi_{each:g}"] = mean + half
    result["p_reach"] = _chance(sums["unique_id"], mean, spread, target)
    return pd.DataFrame(result)[["unique_id", "mean", *interval_columns(levels), "p_reach"]]


def _main_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the combination, or of the one model there is."""
    main = COMBINATION if (frame["model"] == COMBINATION).any() else frame["model"].iloc[0]
    return frame[frame["model"] == main]


def _sums(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return sums of `mean` and of the standard widths of the periods, per key."""
    stated = [float(column[3:]) for column in rows.columns if str(column).startswith("hi_")]
    if not stated:
        raise BadValue("The forecast has no interval. Make it with level=(80, 95).")
    level = min(stated, key=lambda each: abs(each - 80))
    width = (rows[f"hi_{level:g}"] - rows["mean"]) / _t_quantile((1 + level / 100) / 2)
    low = rows[f"lo_{min(stated):g}"]
    return (
        rows.assign(width=width, low=low)
        .groupby(keys, sort=False)
        .agg(mean=("mean", "sum"), width=("width", "sum"), periods=("mean", "size"), low=("low", "min"))
        .assign(non_negative=lambda each: each["low"] >= 0)
        .reset_index()
    )


def _past_ratios(backtest: pd.DataFrame | None, sums: pd.DataFrame) -> np.ndarray:
    """Return |error of the sum| / sum of widths for every backtested sum as long as the forecast's own."""
    if backtest is None or backtest.empty:
        return np.empty(0)
    keys = ["unique_id", "cutoff"]
    rows = _main_rows(backtest).sort_values([*keys, "ds"])
    step = rows.groupby(keys).cumcount()
    periods = rows["unique_id"].map(sums.set_index("unique_id")["periods"])
    rows = rows[step < periods].assign(needed=periods)
    past = _sums(rows, keys)
    outcome = rows.groupby(keys, sort=False).agg(y=("y", "sum"), needed=("needed", "first")).reset_index()
    whole = (past["periods"] == outcome["needed"]) & (past["width"] > 0)
    return ((outcome["y"] - past["mean"]) / past["width"])[whole].to_numpy(float)


def _spread(periods: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return the standard width of each sum as a share of the sum of standard widths."""
    prior = (1 + (periods - 1) * 0.5) / periods
    # A Student t with five degrees of freedom has the variance 5/3.
    squared = np.minimum(ratios**2 * (_FREEDOM - 2) / _FREEDOM, 9.0)
    learned = np.sqrt((squared.sum() + PRIOR_SUMS * prior) / (len(ratios) + PRIOR_SUMS))
    # A sum never varies more than its parts do together.
    return np.minimum(learned, 1.0)


def _t_quantile(share: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(_FREEDOM, share))


def _chance(
    ids: pd.Series, mean: np.ndarray, spread: np.ndarray, target: float | Mapping[object, float] | None
) -> np.ndarray:
    from scipy.special import stdtr

    if target is None:
        return np.full(len(ids), np.nan)
    if isinstance(target, Mapping):
        wanted = np.array([float(target.get(each, np.nan)) for each in ids])
    else:
        wanted = np.full(len(ids), float(target))
    certain = np.where(np.isnan(wanted), np.nan, (mean >= wanted).astype(float))
    distance = np.divide(mean - wanted, spread, out=np.zeros(len(mean)), where=spread > 0)
    return np.where(spread > 0, stdtr(_FREEDOM, distance), certain)
