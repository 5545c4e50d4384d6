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

    `by`: columns of the backtest to judge apart, such as "unique_id", "cutoff", or "step" (1 for the first period
    after the cutoff, and so on); columns merged into it (region, team) work too.

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

    NaN where a figure does not exist: a zero denominator, a level the backtest lacks, intervals of the naive row
    (unless the backtest has its forecasts, `members=True`).

    >>> rows = pd.DataFrame({"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": [90.0, 110.0], "cutoff": 0,
    ...                      "y": 100.0, "naive": 80.0, "scale": 10.0})
    >>> accuracy(rows)[["model", "wape", "mase", "bias"]]
                model  wape  mase  bias
    0           theta   0.1   1.0   0.0
    1  seasonal_naive   0.2   2.0  -0.2
    """
    missing = [column for column in _NEEDED if column not in backtest.columns]
    if missing:
        raise BadValue(f"The frame has no column {', '.join(missing)}. Give the frame that backtest() returned.")
    keys = [by] if isinstance(by, str) else list(by or ())
    judged = _with_reference(backtest)
    if "step" in keys and "step" not in judged.columns:
        judged["step"] = judged.groupby(["unique_id", "cutoff", "model"])["ds"].rank(method="first").astype(int)
    for key in keys:
        if key not in judged.columns:
            raise BadValue(f"The backtest has no column {key!r}.{suggestion(key, judged.columns)}")
    groups = judged.groupby([*keys, "_order", "model"], sort=True, dropna=False)
    rows = [{**dict(zip([*keys, "_order", "model"], names, strict=True)), **_scores(group)} for names, group in groups]
    return pd.DataFrame(rows).drop(columns="_order").reset_index(drop=True)


def _with_reference(backtest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the seasonal naive forecast as a model of its own, once."""
    judged = backtest.copy()
    if not (judged["model"] == NAIVE).all():
        own = judged["model"] == NAIVE
        there = pd.MultiIndex.from_frame(judged.loc[own, ["unique_id", "cutoff", "ds"]])
        reference = judged.drop_duplicates(["unique_id", "cutoff", "ds"])
        reference = reference[~pd.MultiIndex.from_frame(reference[["unique_id", "cutoff", "ds"]]).isin(there)]
        intervals = [each for each in judged.columns if str(each).startswith(("lo_", "hi_"))]
        reference = reference.assign(model=NAIVE, mean=reference["naive"], **dict.fromkeys(intervals, np.nan))
        judged = pd.concat([judged, reference], ignore_index=True) if len(reference) else judged
    first = {COMBINATION: 0, NAIVE: 2}
    return judged.assign(_order=judged["model"].map(first).fillna(1))


def _scores(rows: pd.DataFrame) -> dict[str, float]:
    y, made, scale = (rows[column].to_numpy(float) for column in ("y", "mean", "scale"))
    error = made - y
    scaled = scale > 0
    both = np.abs(y) + np.abs(made)
    scores = {
        "rows": len(rows),
        "wape": _ratio(np.abs(error).sum(), np.abs(y).sum()),
        "mase": _mean(np.abs(error[scaled]) / scale[scaled]),
        "smape": _mean(np.divide(2 * np.abs(error), both, out=np.zeros(len(y)), where=both > 0)),
        "bias": _ratio(error.sum(), y.sum()),
    }
    for level in (80, 95):
        inside = _limits(rows, level)
        known = ~np.isnan(inside[0])
        scores[f"coverage_{level}"] = _mean(((y >= inside[0]) & (y <= inside[1]))[known])
    low, high = _limits(rows, 95)
    score = high - low + 40 * np.maximum(low - y, 0) + 40 * np.maximum(y - high, 0)
    known = scaled & ~np.isnan(score)
    scores["msis"] = _mean(score[known] / scale[known])
    return scores


def _limits(rows: pd.DataFrame, level: int) -> tuple[np.ndarray, np.ndarray]:
    unknown = np.full(len(rows), np.nan)
    if f"lo_{level}" not in rows.columns:
        return unknown, unknown
    return rows[f"lo_{level}"].to_numpy(float), rows[f"hi_{level}"].to_numpy(float)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
