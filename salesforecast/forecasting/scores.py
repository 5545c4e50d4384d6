"""How good past forecasts were: errors, bias and interval coverage, always beside the seasonal naive method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from salesforecast.errors import BadValue, suggestion
from salesforecast.forecasting.models import COMBINATION

NAIVE = "seasonal_naive"
_NEEDED = ("unique_id", "ds", "model", "mean", "cutoff", "y", "naive", "scale")


def accuracy(backtest: pd.DataFrame, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Judge the forecasts of a backtest.

    `by`: columns of the backtest to judge apart, such as "unique_id", "cutoff", or "lag" (1 for the first period
    after the cutoff, and so on; also called "step"); columns merged into it (region, team) work too.

    Returns one row per group and model, the model first and the seasonal naive method last: the `by` columns,
    `model`, `rows` (count), and ratios

    - `wape` Σ|y − mean| / Σ|y|; preferred for roll-ups (Kolassa & Schütz 2007, Foresight 6);
    - `mase` mean of |y − mean| / scale (Hyndman & Koehler 2006, International Journal of Forecasting 22(4)); below
      1 is better than the seasonal naive method was inside the history; rows with scale 0 are left out;
    - `smape` mean of 2|y − mean| / (|y| + |mean|), 0 to 2, where 0/0 counts as 0 (Makridakis 1993; M3, M4);
    - `bias` Σ(mean − y) / Σy; positive: forecasts were too high;
    - `coverage_80`, `coverage_95`: share of outcomes inside the interval;
    - `msis` mean scaled interval score of the 95 % interval: mean of (hi − lo + 40·(lo − y)₊ + 40·(y − hi)₊) / scale
      (Gneiting & Raftery 2007, Journal of the American Statistical Association 102; M4 competition).

    Rows without an outcome (`y` NaN) are left out. NaN where a figure does not exist: a zero denominator, a level the
    backtest lacks, intervals of the naive row (unless the backtest has its forecasts, `members=True`).

    >>> rows = pd.DataFrame({"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": [90.0, 110.0], "cutoff": 0,
    ...                      "y": 100.0, "naive": 80.0, "scale": 10.0})
    >>> accuracy(rows)[["model", "wape", "mase", "bias"]]
                model  wape  mase  bias
    0           theta   0.1   1.0   0.0
    1  seasonal_naive   0.2   2.0  -0.2
    """
    judged, keys = _judged(backtest, by)
    sums = judged.assign(**_parts(judged)).groupby([*keys, "_order", "model"], sort=True, dropna=False)[_PARTS].sum()
    with np.errstate(all="ignore"):
        scores = {
            "rows": sums["rows"].astype(int),
            "wape": sums["missed"] / sums["size"],
            "mase": sums["scaled"] / sums["scalable"],
            "smape": sums["relative"] / sums["rows"],
            "bias": sums["error"] / sums["y_sum"],
            **{f"coverage_{level}": sums[f"inside_{level}"] / sums[f"stated_{level}"] for level in (80, 95)},
            "msis": sums["interval"] / sums["intervals"],
        }
    result = pd.DataFrame(scores).replace([np.inf, -np.inf], np.nan).reset_index()
    return result.drop(columns="_order")


def leaderboard(backtest: pd.DataFrame, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Rank the models of a backtest (made with `members=True`) by their error against the seasonal naive method.

    Returns one row per group (`by` as in `accuracy`) and model, the best first: `rank` (1 the best), `model`, `rows`
    (count), `skill` (1 − error / error of the seasonal naive method for the same rows: 0.2 means a fifth less, 0 for
    that method itself, negative where a model is worse), `wape`, `bias`. The error is the mean scaled one (MASE), so
    that every series counts alike; a model is judged by the series it suits. NaN where no scale exists.

    >>> rows = pd.DataFrame({"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": [90.0, 110.0], "cutoff": 0,
    ...                      "y": 100.0, "naive": 80.0, "scale": 10.0})
    >>> leaderboard(rows)[["rank", "model", "skill"]]
       rank           model  skill
    0     1           theta    0.5
    1     2  seasonal_naive    0.0
    """
    judged, keys = _judged(backtest, by)
    scaled = judged["scale"] > 0
    miss = (judged["y"] - judged["naive"]).abs() / judged["scale"].where(scaled)
    rows = judged.assign(**_parts(judged), naive_scaled=miss.fillna(0.0))
    sums = rows.groupby([*keys, "model"], sort=True, dropna=False)[[*_PARTS, "naive_scaled"]].sum().reset_index()
    made = sums.assign(
        skill=1 - sums["scaled"] / sums["naive_scaled"].where(sums["naive_scaled"] > 0),
        wape=sums["missed"] / sums["size"].where(sums["size"] > 0),
        bias=sums["error"] / sums["y_sum"].where(sums["y_sum"] != 0),
        rows=sums["rows"].astype(int),
    ).sort_values([*keys, "skill"], ascending=[*[True] * len(keys), False], kind="stable", ignore_index=True)
    made["rank"] = made.groupby(keys, dropna=False).cumcount() + 1 if keys else np.arange(1, len(made) + 1)
    return made[[*keys, "rank", "model", "rows", "skill", "wape", "bias"]]


def _judged(backtest: pd.DataFrame, by: str | Sequence[str] | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows to judge, the seasonal naive method among them, and the columns to judge apart."""
    missing = [column for column in _NEEDED if column not in backtest.columns]
    if missing:
        raise BadValue(f"The frame has no column {', '.join(missing)}. Give the frame that backtest() returned.")
    keys = [by] if isinstance(by, str) else list(by or ())
    judged = _with_reference(backtest[backtest["y"].notna()])
    for name in {"step", "lag"} & set(keys) - set(judged.columns):
        judged[name] = judged.groupby(["unique_id", "cutoff", "model"])["ds"].rank(method="first").astype(int)
    for key in keys:
        if key not in judged.columns:
            raise BadValue(f"The backtest has no column {key!r}.{suggestion(key, judged.columns)}")
    return judged, keys


def _with_reference(backtest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the seasonal naive forecast as a model of its own, once."""
    judged = backtest.copy()
    if not (judged["model"] == NAIVE).all():
        own = judged["model"] == NAIVE
        # As a member it forecasts from a history freed of outliers; as the reference from the history as it is.
        judged["mean"] = judged["mean"].where(~own, judged["naive"])
        there = pd.MultiIndex.from_frame(judged.loc[own, ["unique_id", "cutoff", "ds"]])
        reference = judged.drop_duplicates(["unique_id", "cutoff", "ds"])
        reference = reference[~pd.MultiIndex.from_frame(reference[["unique_id", "cutoff", "ds"]]).isin(there)]
        intervals = [each for each in judged.columns if str(each).startswith(("lo_", "hi_"))]
        reference = reference.assign(model=NAIVE, mean=reference["naive"], **dict.fromkeys(intervals, np.nan))
        judged = pd.concat([judged, reference], ignore_index=True) if len(reference) else judged
    first = {COMBINATION: 0, NAIVE: 2}
    return judged.assign(_order=judged["model"].map(first).fillna(1))


_PARTS = [
    *("rows", "missed", "size", "scaled", "scalable", "relative", "error", "y_sum"),
    *("inside_80", "stated_80", "inside_95", "stated_95", "interval", "intervals"),
]


def _parts(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what each row adds to the sums that the scores are ratios of."""
    y, made, scale = (rows[column].to_numpy(float) for column in ("y", "mean", "scale"))
    error, both, scaled = made - y, np.abs(y) + np.abs(made), scale > 0

    def over_scale(values: np.ndarray, where: np.ndarray) -> np.ndarray:
        return np.divide(values, scale, out=np.zeros(len(y)), where=where)

    parts = {
        "rows": np.ones(len(y)),
        "missed": np.abs(error),
        "size": np.abs(y),
        "scaled": over_scale(np.abs(error), scaled),
        "scalable": scaled.astype(float),
        "relative": np.divide(2 * np.abs(error), both, out=np.zeros(len(y)), where=both > 0),
        "error": error,
        "y_sum": y,
    }
    for level in (80, 95):
        low, high = _limits(rows, level)
        parts[f"inside_{level}"] = ((y >= low) & (y <= high)).astype(float)
        parts[f"stated_{level}"] = (~np.isnan(low)).astype(float)
    # The limits of the loop's last level, 95 %.
    score = high - low + 40 * np.maximum(low - y, 0) + 40 * np.maximum(y - high, 0)
    stated = scaled & ~np.isnan(score)
    return {**parts, "interval": over_scale(score, stated), "intervals": stated.astype(float)}


def _limits(rows: pd.DataFrame, level: int) -> tuple[np.ndarray, np.ndarray]:
    unknown = np.full(len(rows), np.nan)
    if f"lo_{level}" not in rows.columns:
        return unknown, unknown
    return rows[f"lo_{level}"].to_numpy(float), rows[f"hi_{level}"].to_numpy(float)
